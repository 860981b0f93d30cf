using System.Buffers;
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
        BuildToNode(path, cipher, storageRpcJson, json, base64, hopNo, OnionRandomness.Default);

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
        BuildToServer(path, cipher, server, host, payload, target, protocol, port, base64, hopNo, OnionRandomness.Default);

    internal static OnionRequest BuildToNode(
        IReadOnlyList<OnionHop> path, OnionCipher cipher, ReadOnlySpan<byte> storageRpcJson, bool json, bool base64, int hopNo,
        OnionRandomness randomness)
    {
        ThrowIfBadLength(path);
        var wrapper = new Wrapper(randomness, storageRpcJson);
        wrapper.StartJson();
        if (!base64)
            wrapper.Json.WriteBoolean("base64"u8, false);
        wrapper.Json.WriteString("headers"u8, ""u8);
        if (json)
            wrapper.Json.WriteBoolean("json"u8, true);
        wrapper.EndJson();

        var last = path[^1];
        var replyKey = wrapper.Encrypt(last.X25519, last.Cipher ?? cipher);
        return new(WrapForPath(wrapper, path, cipher, hopNo), replyKey, base64);
    }

    internal static OnionRequest BuildToServer(
        IReadOnlyList<OnionHop> path, OnionCipher cipher, X25519PublicKey server, string host, ReadOnlySpan<byte> payload,
        string target, string protocol, int port, bool base64, int hopNo, OnionRandomness randomness)
    {
        ThrowIfBadLength(path);
        ArgumentOutOfRangeException.ThrowIfLessThan(port, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue);
        var wrapper = new Wrapper(randomness, payload);
        var replyKey = wrapper.Encrypt(server, cipher);
        wrapper.StartJson();
        wrapper.WriteLayer();
        wrapper.Json.WriteString("host"u8, host);
        wrapper.Json.WriteString("method"u8, "POST"u8);
        if (protocol != OnionInstruction.ToServer.DefaultProtocol || port != OnionInstruction.ToServer.DefaultPort)
        {
            wrapper.Json.WriteNumber("port"u8, port);
            wrapper.Json.WriteString("protocol"u8, protocol);
        }

        wrapper.Json.WriteString("target"u8, target);
        wrapper.EndJson();

        var exit = path[^1];
        _ = wrapper.Encrypt(exit.X25519, exit.Cipher ?? cipher);
        return new(WrapForPath(wrapper, path, cipher, hopNo), replyKey, base64);
    }

    // Starts with the layer of the last node and ends with the body for the first.
    private static byte[] WrapForPath(Wrapper wrapper, IReadOnlyList<OnionHop> path, OnionCipher cipher, int hopNo)
    {
        for (var i = path.Count - 2; i >= 0; i--)
        {
            wrapper.StartJson();
            wrapper.Json.WriteString("destination"u8, path[i + 1].Ed25519.ToString());
            wrapper.WriteLayer();
            wrapper.EndJson();
            _ = wrapper.Encrypt(path[i].X25519, path[i].Cipher ?? cipher);
        }

        wrapper.StartJson();
        wrapper.WriteLayer();
        if (hopNo > 0)
            wrapper.Json.WriteNumber("hop_no"u8, hopNo);
        wrapper.EndJson();
        return wrapper.Content;
    }

    private static void ThrowIfBadLength(IReadOnlyList<OnionHop> path)
    {
        if (path.Count is < 1 or > MaxHops)
            throw new ArgumentException("A path has 1 to 15 nodes.", nameof(path));
    }

    /// <summary>The request as far as it is wrapped.</summary>
    private sealed class Wrapper
    {
        private readonly ArrayBufferWriter<byte> _jsonBuffer = new(384);
        private readonly OnionRandomness _randomness;
        private X25519PublicKey _ephemeral;
        private OnionCipher _cipher;

        public Wrapper(OnionRandomness randomness, ReadOnlySpan<byte> content)
        {
            _randomness = randomness;
            Content = content.ToArray();
            Json = new(_jsonBuffer, JsonOptions);
        }

        public byte[] Content { get; private set; }

        public Utf8JsonWriter Json { get; }

        public void StartJson()
        {
            _jsonBuffer.ResetWrittenCount();
            Json.Reset();
            Json.WriteStartObject();
        }

        /// <summary>How to open the layer made last. The default cipher is not named, as in the requests of the desktop client.</summary>
        public void WriteLayer()
        {
            if (_cipher != OnionCipher.AesGcm)
                Json.WriteString("enc_type"u8, OnionCiphers.Name(_cipher));
            Json.WriteString("ephemeral_key"u8, _ephemeral.ToString());
        }

        /// <summary>Joins the JSON to the content.</summary>
        public void EndJson()
        {
            Json.WriteEndObject();
            Json.Flush();
            Content = CombinedPayload.Join(Content, _jsonBuffer.WrittenSpan);
        }

        public OnionLayerKey Encrypt(X25519PublicKey receiver, OnionCipher cipher)
        {
            var ephemeral = _randomness.CreateKeyPair();
            if (!OnionLayerKey.TryDeriveForClient(ephemeral, receiver, cipher, out var key))
                throw new ArgumentException("A key on the path has small order.");
            Span<byte> nonce = stackalloc byte[OnionCiphers.MaxNonceLength];
            nonce = nonce[..OnionCiphers.GetNonceLength(cipher)];
            _randomness.FillNonce(nonce);
            var layer = GC.AllocateUninitializedArray<byte>(key.GetCiphertextLength(Content.Length));
            key.Encrypt(Content, layer, nonce);
            Content = layer;
            _ephemeral = ephemeral.PublicKey;
            _cipher = cipher;
            return key;
        }
    }
}

/// <summary>Where a request's ephemeral keys and nonces come from; replaced only to reproduce recorded requests.</summary>
internal class OnionRandomness
{
    public static OnionRandomness Default { get; } = new();

    public virtual X25519KeyPair CreateKeyPair() => X25519KeyPair.Generate();

    public virtual void FillNonce(Span<byte> nonce) => RandomNumberGenerator.Fill(nonce);
}
