using YamlDotNet.Core;

namespace Session.Orleans.Load.Plan;

/// <summary>A file says something that files of its kind can't say.</summary>
internal sealed class YamlFormatException(string file, long line, long column, string message)
    : Exception(FormattableString.Invariant($"{file}:{line}:{column}: {message}"))
{
    public YamlFormatException(string file, Mark where, string message)
        : this(file, where.Line, where.Column, message)
    {
    }
}
