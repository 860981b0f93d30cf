using Session.Orleans.Client;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Load.Network;

/// <summary>The network that a run is about, and how to reach it.</summary>
/// <param name="Seed">Root URL of its seed.</param>
/// <param name="Trust">What the seed's certificate has to be.</param>
internal sealed record LoadTarget(Uri Seed, SeedCheck Trust)
{
    /// <summary>True: nodes are asked at <c>SEED/snodes/{ed25519}</c>, as their own ports can't be reached. False: at their own ports.</summary>
    public bool PathAddressing { get; init; }

    /// <summary>Where attachments go; null if the network has no file server or none was named.</summary>
    public FileServer? Files { get; init; }

    /// <summary>Cipher of the onion layers.</summary>
    public OnionCipher Cipher { get; init; } = OnionCipher.XChaCha20;

    /// <summary>Most connections to all nodes together, which all users share.</summary>
    public int Connections { get; init; } = 512;

    /// <summary>Limit of one request; Session clients use 10 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(10);
}
