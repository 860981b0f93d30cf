using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Onion;

/// <summary>A node on a path.</summary>
/// <param name="Ed25519">Its address.</param>
/// <param name="X25519">The key that its layer is encrypted for.</param>
/// <param name="Cipher">The cipher of its layer; null: that of the request.</param>
public readonly record struct OnionHop(Ed25519PublicKey Ed25519, X25519PublicKey X25519, OnionCipher? Cipher = null);

/// <summary>A wrapped request.</summary>
/// <param name="HttpBody">Goes to the first node: <c>POST /onion_req/v2</c>.</param>
/// <param name="ReplyKey">Opens the reply: the key of the innermost layer.</param>
/// <param name="Base64">Whether the reply comes in base64.</param>
public sealed record OnionRequest(byte[] HttpBody, OnionLayerKey ReplyKey, bool Base64);

/// <summary>The client's side: wraps a request in one layer per hop, innermost first (onion-requests.md, 9).</summary>
public static class OnionRequestBuilder
{
    /// <summary>Longest path whose last node still accepts the request (section 4).</summary>
    public const int MaxHops = OnionEnvelope.MaxHopNumber;

    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Wraps a storage request for the last node of a path.</summary>
    /// <param name="path">1..15 nodes from the guard to the destination.</param>
    /// <param name="cipher">The cipher of every layer whose hop names no other.</param>
    /// <param name="storageRpcJson">JSON text of the request.</param>
    /// <param name="json">Asks for the result as JSON instead of a string.</param>
    /// <param name="base64">Asks for the reply in base64.</param>
    /// <param name="hopNo">Pretended hop number of the guard, 0 for the truth.</param>
    /// <exception cref="ArgumentException">The path is empty or too long, or a key on it has small order.</exception>
    public static OnionRequest BuildToNode(
        IReadOnlyList<OnionHop> path, OnionCipher cipher, ReadOnlySpan<byte> storageRpcJson, bool json = false, bool base64 = true, int hopNo = 0) =>
        BuildToNode(path, cipher, storageRpcJson, json, base64, hopNo, new OnionRandomness());

    /// <summary>Wraps a payload for a server outside the network, which the last node of the path posts it to.</summary>
    /// <param name="path">1..15 nodes from the guard to the exit.</param>
    /// <param name="cipher">The cipher of the server's layer and of every layer whose hop names no other.</param>
    /// <param name="server">The server's X25519 key.</param>
    /// <param name="host">The server's name or address.</param>
    /// <param name="payload">A v4 request (<see cref="OnionV4Request.Encode"/>), or JSON for v3.</param>
    /// <param name="target">Path on the server; v3: <c>/loki/v3/lsrpc</c>.</param>
    /// <param name="protocol"><c>https</c> or <c>http</c>.</param>
    /// <param name="port">1..65535.</param>
    /// <param name="base64">Whether the server answers in base64: true for v3, false for v4.</param>
    /// <param name="hopNo">Pretended hop number of the guard, 0 for the truth.</param>
    /// <exception cref="ArgumentException">The path is empty or too long, or a key has small order.</exception>
    public static OnionRequest BuildToServer(
        IReadOnlyList<OnionHop> path, OnionCipher cipher, X25519PublicKey server, string host, ReadOnlySpan<byte> payload,
        string target = "/oxen/v4/lsrpc", string protocol = OnionInstruction.ToServer.DefaultProtocol,
        int port = OnionInstruction.ToServer.DefaultPort, bool base64 = false, int hopNo = 0) =>
        BuildToServer(path, cipher, server, host, payload, target, protocol, port, base64, hopNo, new OnionRandomness());

    internal static OnionRequest BuildToNode(
        IReadOnlyList<OnionHop> path, OnionCipher cipher, ReadOnlySpan<byte> storageRpcJson, bool json, bool base64, int hopNo,
        OnionRandomness randomness)
    {
        ThrowIfBadLength(path);
        var wrapper = new Wrapper(path.Count, randomness);
        var part = wrapper.StartJson();
        if (!base64)
            part.WriteBoolean("base64"u8, false);
        part.WriteString("headers"u8, ""u8);
        if (json)
            part.WriteBoolean("json"u8, true);
        wrapper.EndJson();

        var last = path[^1];
        var replyKey = wrapper.AddLayer(last.X25519, last.Cipher ?? cipher);
        return new(WrapForPath(wrapper, storageRpcJson, path, cipher, hopNo), replyKey, base64);
    }

    internal static OnionRequest BuildToServer(
        IReadOnlyList<OnionHop> path, OnionCipher cipher, X25519PublicKey server, string host, ReadOnlySpan<byte> payload,
        string target, string protocol, int port, bool base64, int hopNo, OnionRandomness randomness)
    {
        ThrowIfBadLength(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue);
        var wrapper = new Wrapper(path.Count + 1, randomness);
        var replyKey = wrapper.AddLayer(server, cipher);
        var part = wrapper.StartJson();
        wrapper.WriteLayer(part);
        part.WriteString("host"u8, host);
        part.WriteString("method"u8, "POST"u8);
        if (protocol != OnionInstruction.ToServer.DefaultProtocol || port != OnionInstruction.ToServer.DefaultPort)
        {
            part.WriteNumber("port"u8, port);
            part.WriteString("protocol"u8, protocol);
        }

        part.WriteString("target"u8, target);
        wrapper.EndJson();

        var exit = path[^1];
        _ = wrapper.AddLayer(exit.X25519, exit.Cipher ?? cipher);
        return new(WrapForPath(wrapper, payload, path, cipher, hopNo), replyKey, base64);
    }

    // Starts with the layer of the last node and ends with the body for the first.
    private static byte[] WrapForPath(Wrapper wrapper, ReadOnlySpan<byte> content, IReadOnlyList<OnionHop> path, OnionCipher cipher, int hopNo)
    {
        for (var i = path.Count - 2; i >= 0; i--)
        {
            var part = wrapper.StartJson();
            Wrapper.WriteKey(part, "destination"u8, path[i + 1].Ed25519.AsSpan());
            wrapper.WriteLayer(part);
            wrapper.EndJson();
            _ = wrapper.AddLayer(path[i].X25519, path[i].Cipher ?? cipher);
        }

        var outermost = wrapper.StartJson();
        wrapper.WriteLayer(outermost);
        if (hopNo > 0)
            outermost.WriteNumber("hop_no"u8, hopNo);
        wrapper.EndJson();
        return wrapper.Wrap(content);
    }

    private static void ThrowIfBadLength(IReadOnlyList<OnionHop> path)
    {
        if (path.Count is < 1 or > MaxHops)
            throw new ArgumentException("A path has 1 to 15 nodes.", nameof(path));
    }

    /// <summary>
    /// A request's layers and the JSON between them, told from the inside out. Neither depends on the content: so the length of the whole is known
    /// before anything is encrypted, and every layer is encrypted where it lies in the finished request.
    /// </summary>
    private sealed class Wrapper(int layers, OnionRandomness randomness)
    {
        // Of the thread: a request is built without waiting for anything.
        [ThreadStatic]
        private static Scratch? _scratch;

        private readonly Layer[] _layers = new Layer[layers];
        private readonly Scratch _json = StartScratch();
        private X25519PublicKey _ephemeral;
        private int _count;

        public Utf8JsonWriter StartJson()
        {
            _json.Writer.Reset();
            _json.Writer.WriteStartObject();
            return _json.Writer;
        }

        public void EndJson()
        {
            _json.Writer.WriteEndObject();
            _json.Writer.Flush();
            if (_count < _layers.Length)
                _layers[_count].JsonEnd = _json.Buffer.WrittenCount;
        }

        /// <summary>How to open the layer added last. The default cipher is not named, as in the requests of the desktop client.</summary>
        public void WriteLayer(Utf8JsonWriter json)
        {
            if (_layers[_count - 1].Key.Cipher is var cipher and not OnionCipher.AesGcm)
                json.WriteString("enc_type"u8, OnionCiphers.Name(cipher));
            WriteKey(json, "ephemeral_key"u8, _ephemeral.AsSpan());
        }

        public static void WriteKey(Utf8JsonWriter json, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key)
        {
            Span<byte> hex = stackalloc byte[2 * Bytes32.Length];
            _ = Convert.TryToHexStringLower(key, hex, out _);
            json.WriteString(name, hex);
        }

        /// <summary>Puts a layer around what was told so far.</summary>
        public OnionLayerKey AddLayer(X25519PublicKey receiver, OnionCipher cipher)
        {
            var ephemeral = randomness.CreateKeyPair();
            ref var layer = ref _layers[_count++];
            if (!OnionLayerKey.TryDeriveForClient(ephemeral, receiver, cipher, out layer.Key))
                throw new ArgumentException("A key on the path has small order.");
            randomness.FillNonce(layer.Nonce[..OnionCiphers.GetNonceLength(cipher)]);
            _ephemeral = ephemeral.PublicKey;
            return layer.Key;
        }

        /// <summary>The content in all its layers, each joined with the JSON that was told before it, and the JSON told last.</summary>
        public byte[] Wrap(ReadOnlySpan<byte> content)
        {
            var json = _json.Buffer.WrittenSpan;
            // Where the content begins: behind the nonces of all layers and the lengths of all joined parts.
            var (length, start, written) = (content.Length, CombinedPayload.PrefixLength, 0);
            foreach (ref var layer in _layers.AsSpan())
            {
                var isJoined = layer.JsonEnd > 0;
                layer.PlaintextLength = isJoined ? CombinedPayload.GetLength(length, layer.JsonEnd - written) : length;
                written = Math.Max(written, layer.JsonEnd);
                length = layer.Key.GetCiphertextLength(layer.PlaintextLength);
                start += OnionCiphers.GetNonceLength(layer.Key.Cipher) + (isJoined ? CombinedPayload.PrefixLength : 0);
            }

            var body = GC.AllocateUninitializedArray<byte>(CombinedPayload.GetLength(length, json.Length - written));
            content.CopyTo(body.AsSpan(start));
            (length, written) = (content.Length, 0);
            foreach (ref var layer in _layers.AsSpan())
            {
                if (layer.JsonEnd > 0)
                    Join(body, ref start, length, json[written..layer.JsonEnd]);
                written = Math.Max(written, layer.JsonEnd);
                var nonce = layer.Nonce[..OnionCiphers.GetNonceLength(layer.Key.Cipher)];
                start -= nonce.Length;
                length = layer.Key.GetCiphertextLength(layer.PlaintextLength);
                layer.Key.EncryptInPlace(body.AsSpan(start, length), layer.PlaintextLength, nonce);
            }

            Join(body, ref start, length, json[written..]);
            return body;
        }

        private static void Join(byte[] body, ref int start, int blobLength, ReadOnlySpan<byte> json)
        {
            json.CopyTo(body.AsSpan(start + blobLength));
            start -= CombinedPayload.PrefixLength;
            BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(start), blobLength);
        }

        private static Scratch StartScratch()
        {
            var scratch = _scratch ??= new();
            scratch.Buffer.ResetWrittenCount();
            return scratch;
        }

        private struct Layer
        {
            private NonceBytes _nonce;

            public OnionLayerKey Key;

            /// <summary>Where the JSON ends that is joined to the layer's content; 0 if none is.</summary>
            public int JsonEnd;

            public int PlaintextLength;

            [UnscopedRef]
            public Span<byte> Nonce => _nonce;
        }

        [InlineArray(OnionCiphers.MaxNonceLength)]
        private struct NonceBytes
        {
            private byte _first;
        }

        private sealed class Scratch
        {
            public Scratch() => Writer = new(Buffer, JsonOptions);

            public ArrayBufferWriter<byte> Buffer { get; } = new(1024);

            public Utf8JsonWriter Writer { get; }
        }
    }
}

/// <summary>Where a request's ephemeral keys and nonces come from; replaced only to reproduce recorded requests. Not for concurrent use.</summary>
internal class OnionRandomness
{
    // A key and a nonce for each of the four or five layers of usual requests: asking the system's generator once costs less than asking it ten times.
    private const int PoolLength = 5 * (Bytes32.Length + OnionCiphers.MaxNonceLength);

    private byte[] _pool = [];
    private int _used;

    public virtual X25519KeyPair CreateKeyPair()
    {
        Span<byte> secretKey = stackalloc byte[Bytes32.Length];
        Fill(secretKey);
        return new(secretKey);
    }

    public virtual void FillNonce(Span<byte> nonce) => Fill(nonce);

    private void Fill(Span<byte> bytes)
    {
        if (_used + bytes.Length > _pool.Length)
            (_pool, _used) = (RandomNumberGenerator.GetBytes(PoolLength), 0);
        var taken = _pool.AsSpan(_used, bytes.Length);
        taken.CopyTo(bytes);
        CryptographicOperations.ZeroMemory(taken);
        _used += bytes.Length;
    }
}
