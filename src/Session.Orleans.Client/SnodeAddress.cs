using System.Globalization;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client;

/// <summary>A service node as a client knows it (network.md, 1).</summary>
/// <param name="Ed25519">The node's address in onion requests; verifies its signatures.</param>
/// <param name="X25519">Encrypts onion layers for the node.</param>
/// <param name="Ip">Advertised IPv4 address.</param>
/// <param name="Port">Advertised HTTPS port.</param>
public sealed record SnodeAddress(Ed25519PublicKey Ed25519, X25519PublicKey X25519, string Ip, int Port)
{
    /// <summary>Base URL of the node's own port.</summary>
    public Uri Url => new($"https://{Ip}:{Port.ToString(CultureInfo.InvariantCulture)}/");

    /// <summary>The /24 network of the address: nodes in one are likely to have one operator.</summary>
    internal string Subnet => Ip[..Math.Max(0, Ip.LastIndexOf('.'))];

    /// <summary>First eight hex digits of the Ed25519 key, for people.</summary>
    public string ShortId => Ed25519.ToString()[..8];
}
