using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Grains.Network;

/// <summary>
/// Every key of the network, derived from its secret: any silo can act for any node, and nothing but the secret has to be kept.
/// </summary>
public sealed class NetworkKeys
{
    private readonly byte[] _blockKey;
    private readonly ConcurrentDictionary<int, Ed25519KeyPair> _nodes = new();
    private readonly byte[] _secret;

    /// <summary>From the secret in <see cref="NetworkOptions"/>.</summary>
    public NetworkKeys(IOptions<NetworkOptions> options)
    {
        _secret = Encoding.UTF8.GetBytes(options.Value.Secret);
        _blockKey = Derive("block-hash");
        Fingerprint = Convert.ToHexStringLower(Derive("fingerprint"))[..16];
    }

    /// <summary>Tells one secret from another without giving it away.</summary>
    public string Fingerprint { get; }

    /// <summary>Keys of node <paramref name="index"/>.</summary>
    public Ed25519KeyPair ForNode(int index) =>
        _nodes.GetOrAdd(index, static (i, self) => new(self.Derive("service-node/" + i.ToString(CultureInfo.InvariantCulture))), this);

    /// <summary>
    /// Keys of the network's own server of this name. Clients know a server by its X25519 key, and download URLs carry the Ed25519 key that it is
    /// converted from (file-server.md, 1).
    /// </summary>
    public Ed25519KeyPair ForServer(string name) => new(Derive("server/" + name));

    /// <summary>Hash of the block at <paramref name="height"/> (32 bytes): the network's randomness, the same in every run with the same secret.</summary>
    public byte[] BlockHash(long height)
    {
        Span<byte> input = stackalloc byte[sizeof(long)];
        System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(input, height);
        var hash = new byte[32];
        Blake2b.Hash(input, _blockKey, hash);
        return hash;
    }

    /// <summary>Keys of the community server.</summary>
    public X25519KeyPair CommunityServer => field ??= new(Derive("community-server"));

    private byte[] Derive(string purpose) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, _secret, 32, salt: [], info: Encoding.UTF8.GetBytes("session-orleans/" + purpose));
}
