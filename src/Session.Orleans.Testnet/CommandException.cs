namespace Session.Orleans.Testnet;

/// <summary>Ends a command with one line for people and an exit code.</summary>
internal sealed class CommandException(int exitCode, string message) : Exception(message)
{
    /// <summary>The process's exit code, one of <see cref="ExitCodes"/>.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>Exit codes of <c>session-testnet</c>.</summary>
internal static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>The command failed; the last line on standard error says why.</summary>
    public const int Failed = 1;

    /// <summary>An option or argument is wrong.</summary>
    public const int Usage = 2;

    /// <summary>No testnet runs where the command looked for one.</summary>
    public const int NotRunning = 3;

    /// <summary>Stopped by Ctrl-C before it was done.</summary>
    public const int Interrupted = 130;

    /// <summary>A check of the command's own found something wrong: a reply, a signature, a measured figure.</summary>
    public const int CheckFailed = 4;
}
