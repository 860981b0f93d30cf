using System.Text.RegularExpressions;

namespace Session.Orleans.Protocol.Names;

/// <summary>Which names there may be (names.md, 2). Names are put into lower case before anything else.</summary>
public static partial class NameRules
{
    /// <summary>Greatest length of a Session or wallet name in bytes.</summary>
    public const int MaxLength = 64;

    /// <summary>Suffix of domains unless a network has another one.</summary>
    public const string DefaultDomainSuffix = ".loki";

    private const int MaxPlainLabel = 32;
    private const int MaxHyphenatedLabel = 63;

    private static readonly string[] ReservedLabels = ["localhost", "loki", "snode"];

    /// <summary>The name with A-Z in lower case.</summary>
    public static string Normalize(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return string.Create(name.Length, name, static (target, source) =>
        {
            for (var i = 0; i < target.Length; i++)
                target[i] = char.IsAsciiLetterUpper(source[i]) ? (char)(source[i] | 0x20) : source[i];
        });
    }

    /// <summary>True for a name of this type, in any case.</summary>
    public static bool IsValid(NameType type, string name, string domainSuffix = DefaultDomainSuffix)
    {
        ArgumentNullException.ThrowIfNull(domainSuffix);
        var text = Normalize(name);
        return type is NameType.Domain ? IsDomain(text, domainSuffix) : text.Length <= MaxLength && PersonName().IsMatch(text);
    }

    private static bool IsDomain(string name, string suffix)
    {
        if (!name.EndsWith(suffix, StringComparison.Ordinal))
            return false;
        var label = name[..^suffix.Length];
        return label.Length <= (label.Contains('-', StringComparison.Ordinal) ? MaxHyphenatedLabel : MaxPlainLabel)
            && DomainLabel().IsMatch(label)
            && (label.Length < 4 || label[2..4] != "--" || label.StartsWith("xn--", StringComparison.Ordinal))
            && !ReservedLabels.Contains(label);
    }

    [GeneratedRegex(@"\A[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex PersonName();

    [GeneratedRegex(@"\A[a-z0-9]([a-z0-9-]*[a-z0-9])?\z", RegexOptions.CultureInvariant)]
    private static partial Regex DomainLabel();
}
