using YamlDotNet.Core;

namespace Session.Orleans.Testnet.Scenarios;

/// <summary>A scenario file says something that scenarios can't say.</summary>
internal sealed class ScenarioFormatException(string file, long line, long column, string message)
    : Exception(FormattableString.Invariant($"{file}:{line}:{column}: {message}"))
{
    public ScenarioFormatException(string file, Mark where, string message)
        : this(file, where.Line, where.Column, message)
    {
    }
}
