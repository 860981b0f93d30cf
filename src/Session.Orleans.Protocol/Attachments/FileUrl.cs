using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Attachments;

/// <summary>Where a file is (messages.md, 12.5): <c>base/file/id</c> and an optional fragment.</summary>
/// <param name="Base">The server's root.</param>
/// <param name="Id">The file's id: letters, digits, <c>-</c> and <c>_</c>.</param>
/// <param name="IsDeterministic">The file is encrypted as <see cref="DeterministicEncryption"/> does it.</param>
/// <param name="ServerKey">Ed25519 key of a server other than the default one; null for that.</param>
public sealed record FileUrl(Uri Base, string Id, bool IsDeterministic = false, Ed25519PublicKey? ServerKey = null)
{
    /// <summary>Longest id that a server gives, in characters.</summary>
    public const int MaxIdLength = 44;

    /// <summary>The id as a number, 0 if it is none: what old clients read.</summary>
    public ulong DeprecatedId => ulong.TryParse(Id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;

    /// <summary>Reads a URL of a message; false if it is no HTTP URL or has no id. Unknown parts of the fragment are skipped.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out FileUrl? url)
    {
        url = null;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            return false;
        var path = uri.AbsolutePath;
        var id = path[(path.LastIndexOf('/') + 1)..];
        if (id.Length is 0 or > MaxIdLength || id.AsSpan().ContainsAnyExcept(IdCharacters))
            return false;

        var deterministic = false;
        Ed25519PublicKey? key = null;
        foreach (var part in uri.Fragment.TrimStart('#').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = part.IndexOf('=') is >= 0 and var at ? (part[..at], part[(at + 1)..]) : (part, "");
            if (name is "d")
                deterministic = true;
            else if (name is "p" && Ed25519PublicKey.TryParseHex(value, out var parsed))
                key = parsed;
        }

        url = new(new Uri(uri.GetLeftPart(UriPartial.Authority)), id, deterministic, key);
        return true;
    }

    /// <summary>The text for a message.</summary>
    public override string ToString()
    {
        var fragment = (ServerKey, IsDeterministic) switch
        {
            ({ } key, true) => $"#p={key}&d=",
            ({ } key, false) => $"#p={key}",
            (null, true) => "#d=",
            _ => "",
        };
        return $"{new Uri(Base, "/file/")}{Id}{fragment}";
    }

    private static readonly System.Buffers.SearchValues<char> IdCharacters =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}
