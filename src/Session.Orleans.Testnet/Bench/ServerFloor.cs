using System.Collections.Immutable;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Testnet.Bench;

/// <summary>
/// The cryptography of one request at the server and nothing else, made to be run between rounds of the request itself. No server that speaks
/// the protocol can spend less. The keys, and all that is signed and encrypted, change from request to request as they do in a network: verifying the same
/// signature again and again is a quarter cheaper, because the processor has learned its branches.
/// </summary>
internal sealed class ServerFloor
{
    private const int Variants = 64;
    private const int SignedLength = 43; // a retrieve signs method and time; a swarm member the text of a hash

    private readonly OnionCipher _cipher;
    private readonly int _signatures;
    private readonly byte[] _hashed;
    private readonly int _replyLength;
    private readonly Variant[] _variants;

    /// <summary>Prepares keys, layers and signatures.</summary>
    /// <param name="cipher">Cipher of all layers.</param>
    /// <param name="onion">A typical storage request that comes through three hops; empty for a direct one.</param>
    /// <param name="replyLength">Length of an onion's reply in base64.</param>
    /// <param name="verifies">The request's own signature is verified.</param>
    /// <param name="signatures">Swarm members who sign the answer.</param>
    /// <param name="hashedLength">Bytes of a message that is hashed; 0 for none.</param>
    public ServerFloor(OnionCipher cipher, ReadOnlySpan<byte> onion, int replyLength, bool verifies, int signatures, int hashedLength)
    {
        (_cipher, _signatures) = (cipher, signatures);
        _hashed = RandomNumberGenerator.GetBytes(hashedLength);
        _replyLength = onion.IsEmpty ? 0 : Math.Max(0, (replyLength / 4 * 3) - OnionCiphers.GetCiphertextLength(cipher, 0));
        var lengths = onion.IsEmpty ? [] : LayersOf(cipher, onion);
        Ed25519KeyPair[] nodes = [.. Enumerable.Range(0, Math.Max(signatures, 32)).Select(_ => Ed25519KeyPair.Generate())];
        _variants = [.. Enumerable.Range(0, Variants).Select(_ => new Variant(cipher, nodes, lengths, verifies))];
    }

    /// <summary>CPU microseconds per request, with as many threads at it as the requests keep busy: processors share caches, clock and power.</summary>
    /// <param name="requests">How many requests.</param>
    /// <param name="concurrency">Requests in flight in the rounds it is compared with.</param>
    public double Measure(int requests, int concurrency)
    {
        var before = Environment.CpuUsage.TotalTime;
        var count = Math.Min(concurrency, Environment.ProcessorCount);
        var each = (requests + count - 1) / count;
        Thread[] threads = [.. Enumerable.Range(0, count).Select(first => new Thread(() => Run(first * Variants / count, each)))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        return (Environment.CpuUsage.TotalTime - before).TotalMicroseconds / (each * count);
    }

    private void Run(int first, int requests)
    {
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        var buffer = new byte[Math.Max(_replyLength, _variants[0].Layers.Select(layer => layer.Ciphertext.Length).DefaultIfEmpty().Max())];
        var reply = new byte[OnionCiphers.GetCiphertextLength(_cipher, _replyLength)];
        for (var i = first; i < first + requests; i++)
        {
            var variant = _variants[i % Variants];
            OnionLayerKey key = default;
            foreach (var layer in variant.Layers)
                Require(OnionLayerKey.TryDeriveForNode(layer.Node, layer.Client, _cipher, out key) && key.TryDecrypt(layer.Ciphertext, buffer, out _));
            if (variant.Signature is { } signed)
                Require(Ed25519.Verify(variant.Account.AsSpan(), variant.Text, signed));
            if (_hashed.Length > 0)
                _ = MessageHash.Compute(new(AccountId.SessionPrefix, variant.Account.Value), 0, _hashed);
            for (var member = 0; member < _signatures; member++)
                variant.Nodes[member].Sign(variant.Text, signature);
            if (variant.Layers.Length > 0)
                key.Encrypt(buffer.AsSpan(0, _replyLength), reply);
        }
    }

    /// <summary>Lengths of the plaintexts that a request's nodes decrypt.</summary>
    private static ImmutableArray<int> LayersOf(OnionCipher cipher, ReadOnlySpan<byte> request)
    {
        // Nodes of our own in the network's place: their layers have the same sizes, and here we can open them.
        var nodes = Enumerable.Range(0, NetworkMap.Hops + 1).Select(_ => Ed25519KeyPair.Generate()).ToArray();
        var onion = OnionRequestBuilder.BuildToNode([.. nodes.Select(node => new OnionHop(node.PublicKey, node.X25519.PublicKey))], cipher, request);
        Require(OnionEnvelope.TryParse(onion.HttpBody, out var layer, out _));
        var (ciphertext, ephemeral) = (layer.Ciphertext, layer.EphemeralKey);
        var lengths = ImmutableArray.CreateBuilder<int>(nodes.Length);
        foreach (var node in nodes)
        {
            Require(OnionLayer.TryOpen(node.X25519, ephemeral, cipher, ciphertext.Span, out var plaintext, out _));
            lengths.Add(plaintext.Length);
            Require(OnionInstruction.TryParse(plaintext, out var instruction));
            if (instruction is OnionInstruction.ToNode next)
                (ciphertext, ephemeral) = (next.Ciphertext, next.EphemeralKey);
        }

        return lengths.MoveToImmutable();
    }

    private static void Require(bool ok)
    {
        if (!ok)
            throw new CommandException(ExitCodes.CheckFailed, "The cryptography on this machine does not work.");
    }

    private sealed record Layer(X25519KeyPair Node, X25519PublicKey Client, byte[] Ciphertext);

    /// <summary>One request's keys and bytes.</summary>
    private sealed class Variant
    {
        public Variant(OnionCipher cipher, Ed25519KeyPair[] nodes, ImmutableArray<int> lengths, bool verifies)
        {
            Nodes = [.. nodes];
            Random.Shared.Shuffle(Nodes);
            Layers = [.. lengths.Select((length, hop) =>
            {
                var client = X25519KeyPair.Generate();
                Require(OnionLayerKey.TryDeriveForClient(client, Nodes[hop].X25519.PublicKey, cipher, out var key));
                var ciphertext = new byte[key.GetCiphertextLength(length)];
                key.Encrypt(new byte[length], ciphertext);
                return new Layer(Nodes[hop].X25519, client.PublicKey, ciphertext);
            })];
            var account = Ed25519KeyPair.Generate();
            Account = account.PublicKey;
            if (!verifies)
                return;
            Signature = new byte[Ed25519.SignatureLength];
            account.Sign(Text, Signature);
        }

        public Ed25519KeyPair[] Nodes { get; }

        public Layer[] Layers { get; }

        public Ed25519PublicKey Account { get; }

        public byte[] Text { get; } = RandomNumberGenerator.GetBytes(SignedLength);

        public byte[]? Signature { get; }
    }
}
