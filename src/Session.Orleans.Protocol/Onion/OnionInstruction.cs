using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Onion;

/// <summary>
/// What a decrypted layer tells its node to do (onion-requests.md, 4): execute a request, pass the rest on to a node, or post it to a
/// server. All memory in it is a view of the plaintext.
/// </summary>
public abstract record OnionInstruction
{
    private OnionInstruction()
    {
    }

    /// <summary>
    /// Reads the plaintext of a layer. Never throws; false is the protocol's "Invalid json": no combined payload, no JSON object, or a
    /// needed member missing or of the wrong type.
    /// </summary>
    public static bool TryParse(ReadOnlyMemory<byte> plaintext, [NotNullWhen(true)] out OnionInstruction? instruction)
    {
        instruction = null;
        if (!CombinedPayload.TrySplit(plaintext, out var blob, out var json, out _))
            return false;
        try
        {
            instruction = Parse(plaintext, blob, json.Span);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped half of a surrogate pair, which the reader notices only when the text is used.
            return false;
        }

        return instruction is not null;
    }

    private static OnionInstruction? Parse(ReadOnlyMemory<byte> plaintext, ReadOnlyMemory<byte> blob, ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        if (!Utf8.IsValid(json) || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return null;

        JsonMember headers = default, asJson = default, base64 = default, host = default, target = default, protocol = default, port = default,
            destination = default, ephemeralKey = default, encType = default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("headers"u8))
                headers = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("destination"u8))
                destination = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("ephemeral_key"u8))
                ephemeralKey = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("enc_type"u8))
                encType = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("json"u8))
                asJson = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("base64"u8))
                base64 = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("host"u8))
                host = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("target"u8))
                target = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("protocol"u8))
                protocol = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("port"u8))
                port = JsonMember.Read(ref reader, json);
            else
                _ = JsonMember.Read(ref reader, json);
        }

        // The reader throws on anything but white space after the object.
        _ = reader.Read();

        if (headers.IsPresent)
            return asJson.TryGetBoolean(absent: false, out var wantsJson) && base64.TryGetBoolean(absent: true, out var wantsBase64)
                ? new ToDestination(blob, wantsJson, wantsBase64)
                : null;

        if (host.IsPresent)
        {
            var protocolText = ToServer.DefaultProtocol;
            long portNumber = ToServer.DefaultPort;
            return host.TryGetString(out var hostText) && target.TryGetString(out var targetText)
                && (!protocol.IsPresent || protocol.TryGetString(out protocolText))
                && (!port.IsPresent || port.TryGetInt64(out portNumber)) && portNumber is >= 1 and <= ushort.MaxValue
                ? new ToServer(hostText, targetText, protocolText, (int)portNumber, plaintext)
                : null;
        }

        return destination.TryGetKey(out var node) && ephemeralKey.TryGetKey(out var ephemeral) && encType.TryGetCipher(out var cipher)
            ? new ToNode(new(node), new(ephemeral), cipher, blob)
            : null;
    }

    /// <summary>The node is the destination: it executes the request and seals the reply with this layer's key (sections 4 and 6).</summary>
    /// <param name="Request">JSON text of a storage request; not validated.</param>
    /// <param name="Json">The reply carries a JSON result as an object, not as a string.</param>
    /// <param name="Base64">The reply is sent as base64 text, not as raw bytes.</param>
    public sealed record ToDestination(ReadOnlyMemory<byte> Request, bool Json, bool Base64) : OnionInstruction;

    /// <summary>The node passes the next layer on to another node.</summary>
    /// <param name="Destination">Ed25519 key of the next node.</param>
    /// <param name="EphemeralKey">The client's X25519 key for the next layer.</param>
    /// <param name="Cipher">The cipher of the next layer.</param>
    /// <param name="Ciphertext">The next layer.</param>
    public sealed record ToNode(
        Ed25519PublicKey Destination, X25519PublicKey EphemeralKey, OnionCipher Cipher, ReadOnlyMemory<byte> Ciphertext) : OnionInstruction;

    /// <summary>The node posts its whole plaintext to a server and returns the answer unread (section 5).</summary>
    /// <param name="Host">Host name or address of the server.</param>
    /// <param name="Target">Path on the server.</param>
    /// <param name="Protocol">As sent; only <c>http</c> and <c>https</c> are allowed.</param>
    /// <param name="Port">1..65535.</param>
    /// <param name="Payload">The body to post: the plaintext of the layer, byte for byte.</param>
    public sealed record ToServer(string Host, string Target, string Protocol, int Port, ReadOnlyMemory<byte> Payload) : OnionInstruction
    {
        /// <summary>Protocol of a request that names none.</summary>
        public const string DefaultProtocol = "https";

        /// <summary>Port of a request that names none, also with http.</summary>
        public const int DefaultPort = 443;

        /// <summary>
        /// The protocol's rule for servers: http or https, and a target under <c>/loki/</c> or <c>/oxen/</c> that ends with
        /// <c>/lsrpc</c> and has no query. It says nothing about hosts; an operator may limit these besides.
        /// </summary>
        public bool IsAllowed => Protocol is "http" or "https" && IsAllowedTarget(Target);

        /// <summary>The part of the rule that concerns the path.</summary>
        public static bool IsAllowedTarget(string target) =>
            (target.StartsWith("/loki/", StringComparison.Ordinal) || target.StartsWith("/oxen/", StringComparison.Ordinal))
            && target.EndsWith("/lsrpc", StringComparison.Ordinal) && !target.Contains('?', StringComparison.Ordinal);

        /// <summary>
        /// The address to post to. False is the protocol's "Invalid url": not allowed, or a host or target that would make the address
        /// mean something else than it says (a user name, port or path inside the host, dot segments that leave the allowed paths).
        /// </summary>
        public bool TryGetUri([NotNullWhen(true)] out Uri? uri)
        {
            uri = null;
            if (!IsAllowed
                || !Uri.TryCreate(string.Create(CultureInfo.InvariantCulture, $"{Protocol}://{Host}:{Port}{Target}"), UriKind.Absolute, out var built)
                || !built.Host.Equals(Host, StringComparison.OrdinalIgnoreCase) || built.Port != Port || built.UserInfo.Length != 0
                || built.Query.Length != 0 || built.Fragment.Length != 0 || !IsAllowedTarget(built.AbsolutePath))
                return false;
            uri = built;
            return true;
        }
    }
}
