using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Grains.Communities;

/// <summary>The community server's identity: an X25519 key pair derived from the network's secret, the same on every silo.</summary>
public sealed class CommunityKeys(NetworkKeys network, IOptions<CommunityOptions> options)
{
    /// <summary>The key pair: opens onions, blinds ids, is part of every signature.</summary>
    public X25519KeyPair KeyPair { get; } = network.CommunityServer;

    /// <summary>Its public half, in the join URL of every room.</summary>
    public X25519PublicKey PublicKey => KeyPair.PublicKey;

    /// <summary>True if users must be blinded.</summary>
    public bool RequireBlinded => options.Value.RequireBlinded;
}
