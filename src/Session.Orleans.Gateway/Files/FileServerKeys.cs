using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Files;

/// <summary>The file server's key pair, the same on every silo.</summary>
public sealed class FileServerKeys(NetworkKeys network)
{
    /// <summary>Ed25519, as in download URLs; its X25519 form opens onions.</summary>
    public Ed25519KeyPair Pair { get; } = network.ForServer("files");
}
