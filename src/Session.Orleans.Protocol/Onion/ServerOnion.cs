using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Onion;

/// <summary>The two ways in which clients write requests to servers.</summary>
public enum ServerOnionVersion : byte
{
    /// <summary>JSON inside, base64 text outside; for old clients.</summary>
    V3 = 3,

    /// <summary>A bencoded list inside, raw bytes outside.</summary>
    V4 = 4,
}

/// <summary>
/// The server's end of an onion request: what the exit node posted, opened with the server's own key, and the reply sealed with the same
/// (file-server.md, 2; communities.md, 2).
/// </summary>
public sealed class ServerOnion
{
    /// <summary>Longest body accepted, in bytes; a longer one is answered 400.</summary>
    public const int MaxBodyLength = OnionEnvelope.MaxBodyLength;

    private readonly OnionLayerKey _key;

    private ServerOnion(ServerOnionVersion version, OnionLayerKey key, ServerRequest? request)
    {
        Version = version;
        _key = key;
        Request = request;
    }

    /// <summary>How the request is written, and so the reply.</summary>
    public ServerOnionVersion Version { get; }

    /// <summary>The request inside; null if its plaintext is malformed, which is answered with <see cref="SealMalformed"/>.</summary>
    public ServerRequest? Request { get; }

    /// <summary>The version that is posted to <paramref name="path"/>.</summary>
    public static bool TryGetVersion(string? path, out ServerOnionVersion version)
    {
        version = path is "/oxen/v4/lsrpc" ? ServerOnionVersion.V4 : ServerOnionVersion.V3;
        return path is "/oxen/v4/lsrpc" or "/oxen/v3/lsrpc" or "/loki/v3/lsrpc";
    }

    /// <summary>
    /// Opens a posted body. Never throws; false is answered 400 outside of any encryption: too long, no combined payload, no usable
    /// <c>ephemeral_key</c>, an <c>enc_type</c> that servers don't know (they have no CBC), or a ciphertext that was not made for this server.
    /// </summary>
    /// <param name="server">The server's key pair.</param>
    /// <param name="version">From the path, see <see cref="TryGetVersion"/>.</param>
    /// <param name="httpBody">The body as posted.</param>
    /// <param name="onion">What was opened.</param>
    public static bool TryOpen(
        X25519KeyPair server, ServerOnionVersion version, ReadOnlyMemory<byte> httpBody, [NotNullWhen(true)] out ServerOnion? onion)
    {
        onion = null;
        if (httpBody.Length > MaxBodyLength
            || !OnionEnvelope.TryParse(httpBody, out var envelope, out _) || envelope.Cipher == OnionCipher.AesCbc
            || !OnionLayer.TryOpen(server, envelope.EphemeralKey, envelope.Cipher, envelope.Ciphertext.Span, out var plaintext, out var key))
            return false;
        _ = version == ServerOnionVersion.V4
            ? ServerRequest.TryParseV4(plaintext, out var request)
            : ServerRequest.TryParseV3(plaintext, out request);
        onion = new(version, key, request);
        return true;
    }

    /// <summary>
    /// The body of the HTTP answer, whose own status is always 200. v3 carries only the body of a success (2xx), and otherwise
    /// <c>{"status_code":N}</c>.
    /// </summary>
    /// <param name="status">Status of the answer inside.</param>
    /// <param name="headers">v4 only: written in lower case and without <c>content-length</c>.</param>
    /// <param name="body">Raw bytes.</param>
    public byte[] Seal(int status, IReadOnlyDictionary<string, string> headers, ReadOnlySpan<byte> body)
    {
        if (Version == ServerOnionVersion.V3)
            return OnionReply.SealRaw(_key, status is >= 200 and <= 299 ? body : StatusOnly(status), base64: true);

        var metadata = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(metadata, OnionV4.JsonOptions))
        {
            json.WriteStartObject();
            json.WriteNumber("code"u8, status);
            OnionV4.WriteHeaders(json, headers, forReply: true);
            json.WriteEndObject();
        }

        // As OnionV4Response, without a second array of the body's size.
        var length = 2 + BencodeWriter.GetBytesLength(metadata.WrittenCount) + BencodeWriter.GetBytesLength(body.Length);
        var plaintext = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            plaintext[0] = (byte)'l';
            var position = 1 + BencodeWriter.WriteBytes(metadata.WrittenSpan, plaintext.AsSpan(1));
            position += BencodeWriter.WriteBytes(body, plaintext.AsSpan(position));
            plaintext[position] = (byte)'e';
            return OnionReply.SealRaw(_key, plaintext.AsSpan(0, length), base64: false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(plaintext);
        }
    }

    /// <summary>The answer to a malformed plaintext.</summary>
    public byte[] SealMalformed() => Seal(400, OnionV4Response.Malformed.Headers, OnionV4Response.Malformed.Body.Span);

    private static byte[] StatusOnly(int status) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"status_code\":{status}}}"));
}
