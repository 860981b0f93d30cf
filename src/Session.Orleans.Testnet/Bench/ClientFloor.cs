using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Testnet.Bench;

/// <summary>
/// The cryptography of a client's onion request and nothing else: for each of four layers a new public key, an agreement and the encryption of as
/// many bytes; the signature under the request; and the decryption of the reply. No client that speaks the protocol can spend less.
/// </summary>
internal sealed class ClientFloor
{
    private readonly Layer[] _layers;
    private readonly Layer _reply;
    private readonly Ed25519KeyPair _account = Ed25519KeyPair.Generate();
    private readonly byte[] _signed = RandomNumberGenerator.GetBytes(43); // as long as the bytes that a retrieve signs

    /// <summary>Prepares the layers.</summary>
    /// <param name="cipher">Cipher of all layers.</param>
    /// <param name="request">A typical storage request.</param>
    /// <param name="replyLength">Length of the reply in base64.</param>
    public ClientFloor(OnionCipher cipher, ReadOnlySpan<byte> request, int replyLength)
    {
        // Nodes of our own in the network's place: their layers have the same sizes, and here we can open them.
        var nodes = Enumerable.Range(0, NetworkMap.Hops + 1).Select(_ => Ed25519KeyPair.Generate()).ToArray();
        var onion = OnionRequestBuilder.BuildToNode([.. nodes.Select(node => new OnionHop(node.PublicKey, node.X25519.PublicKey))], cipher, request);
        if (!OnionEnvelope.TryParse(onion.HttpBody, out var layer, out _))
            throw Broken();
        var (ciphertext, ephemeral) = (layer.Ciphertext, layer.EphemeralKey);
        _layers = new Layer[nodes.Length];
        for (var i = 0; i < nodes.Length; i++)
        {
            if (!OnionLayer.TryOpen(nodes[i].X25519, ephemeral, cipher, ciphertext.Span, out var plaintext, out _) || !OnionInstruction.TryParse(plaintext, out var instruction))
                throw Broken();
            _layers[i] = new(cipher, plaintext.Length);
            if (instruction is OnionInstruction.ToNode next)
                (ciphertext, ephemeral) = (next.Ciphertext, next.EphemeralKey);
        }

        _reply = new(cipher, Math.Max(0, (replyLength / 4 * 3) - OnionCiphers.GetCiphertextLength(cipher, 0)));
    }

    /// <summary>CPU microseconds per request, with all processors of the machine at it: as a load has them, which share caches, clock and power.</summary>
    /// <param name="requests">How many requests.</param>
    public double Measure(int requests)
    {
        var before = Environment.CpuUsage.TotalTime;
        var each = (requests + Environment.ProcessorCount - 1) / Environment.ProcessorCount;
        Thread[] threads = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() => Run(each)))];
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        return (Environment.CpuUsage.TotalTime - before).TotalMicroseconds / (each * threads.Length);
    }

    private void Run(int requests)
    {
        Span<byte> key = stackalloc byte[X25519.KeyLength];
        Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
        var buffer = new byte[Math.Max(_reply.Length, _layers.Max(layer => layer.Length))];
        for (var i = 0; i < requests; i++)
        {
            _account.Sign(_signed, signature);
            foreach (var layer in _layers)
            {
                X25519.GetPublicKey(layer.Client.SecretKey, key);
                if (!X25519.TryAgree(layer.Client.SecretKey, layer.Node.PublicKey.AsSpan(), key))
                    throw Broken();
                layer.Open(buffer);
            }

            _reply.Open(buffer);
        }
    }

    private static CommandException Broken() => new(ExitCodes.CheckFailed, "The cryptography on this machine does not work.");

    /// <summary>Bytes of a layer. Opening costs what sealing does, and needs no nonce.</summary>
    private sealed class Layer
    {
        private readonly OnionLayerKey _key;
        private readonly byte[] _ciphertext;

        public Layer(OnionCipher cipher, int length)
        {
            if (!OnionLayerKey.TryDeriveForNode(Node, Client.PublicKey, cipher, out _key))
                throw Broken();
            _ciphertext = new byte[_key.GetCiphertextLength(length)];
            _key.Encrypt(new byte[length], _ciphertext);
            Length = _key.GetMaxPlaintextLength(_ciphertext.Length);
        }

        public X25519KeyPair Node { get; } = X25519KeyPair.Generate();

        public X25519KeyPair Client { get; } = X25519KeyPair.Generate();

        public int Length { get; }

        public void Open(Span<byte> buffer)
        {
            if (!_key.TryDecrypt(_ciphertext, buffer, out _))
                throw Broken();
        }
    }
}
