using System.Diagnostics.CodeAnalysis;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Communities;

/// <summary>The address by which clients join a room (communities.md, 1): <c>{base}/{token}?public_key={64 hex}</c>.</summary>
/// <param name="Base">Scheme, host and port, without a slash at the end.</param>
/// <param name="Token">The room.</param>
/// <param name="Server">The server's X25519 key.</param>
public sealed record CommunityUrl(string Base, string Token, X25519PublicKey Server)
{
    /// <summary>Longest token, in characters.</summary>
    public const int MaxTokenLength = 64;

    private const string KeyParameter = "?public_key=";

    /// <summary>True for 1..64 of <c>A-Za-z0-9_-</c>.</summary>
    public static bool IsToken(ReadOnlySpan<char> token)
    {
        if (token.Length is 0 or > MaxTokenLength)
            return false;
        foreach (var character in token)
        {
            if (!char.IsAsciiLetterOrDigit(character) && character is not ('_' or '-'))
                return false;
        }

        return true;
    }

    /// <summary>Reads a join URL. A missing scheme is http; a path prefix <c>/r</c> before the token is passed over.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out CommunityUrl? url)
    {
        url = null;
        if (text is null || text.IndexOf(KeyParameter, StringComparison.Ordinal) is not (> 0 and var query)
            || !X25519PublicKey.TryParseHex(text.AsSpan(query + KeyParameter.Length), out var server))
            return false;
        var address = text[..query];
        if (!address.Contains("://", StringComparison.Ordinal))
            address = "http://" + address;
        var slash = address.LastIndexOf('/');
        var token = address[(slash + 1)..];
        var host = address[..slash];
        if (host.EndsWith("/r", StringComparison.Ordinal))
            host = host[..^2];
        if (!IsToken(token) || !Uri.TryCreate(host, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")
            || uri.AbsolutePath is not "/" || uri.UserInfo.Length > 0 || uri.Host.Length == 0)
            return false;
        url = new(host, token, server);
        return true;
    }

    /// <summary>The whole URL.</summary>
    public override string ToString() => $"{Base}/{Token}{KeyParameter}{Server}";
}
