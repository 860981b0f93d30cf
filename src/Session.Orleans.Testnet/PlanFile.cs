using Session.Orleans.Load.Plan;

namespace Session.Orleans.Testnet;

/// <summary>Files in which operators write down what is to happen: scenarios and load plans.</summary>
internal static class PlanFile
{
    /// <summary>Reads one.</summary>
    /// <param name="file">Its path.</param>
    /// <param name="read">Its reader.</param>
    /// <exception cref="CommandException">It is not what it should be, with <see cref="ExitCodes.Malformed"/>, or can't be read, with <see cref="ExitCodes.Usage"/>.</exception>
    public static TPlan Read<TPlan>(string file, Func<string, TPlan> read)
    {
        try
        {
            return read(file);
        }
        catch (YamlFormatException exception)
        {
            throw new CommandException(ExitCodes.Malformed, exception.Message);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Usage, exception.Message);
        }
    }
}
