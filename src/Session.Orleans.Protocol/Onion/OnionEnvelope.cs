using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Onion;

/// <summary>The body of <c>POST /onion_req/v2</c>: the guard's layer and how to open it (onion-requests.md, 2).</summary>
/// <param name="Ciphertext">The guard's layer, a view of the body.</param>
/// <param name="EphemeralKey">The client's X25519 key for this layer.</param>
/// <param name="Cipher">The cipher of this layer.</param>
/// <param name="HopNumber">
/// Pretended number of the hop, 0..16. Larger ones are kept as 16, which the next node refuses just the same and which cannot overflow.
/// </param>
public readonly record struct OnionEnvelope(ReadOnlyMemory<byte> Ciphertext, X25519PublicKey EphemeralKey, OnionCipher Cipher, int HopNumber)
{
    /// <summary>Longest body accepted, in bytes; a longer one is answered with 413.</summary>
    public const int MaxBodyLength = 10485760;

    /// <summary>The highest hop number that a relaying node accepts; above it "onion request max path length exceeded" (section 4).</summary>
    public const int MaxHopNumber = 15;

    /// <summary>What stands before the error of <see cref="TryParse"/> in the answer, with status 400 (section 7).</summary>
    public const string ErrorPrefix = "Error parsing onion request: ";

    // Enough for any real name; an error text must not carry megabytes of the request back.
    private const int MaxEchoedNameLength = 256;

    /// <summary>
    /// Parses a body. Never throws. On failure <paramref name="error"/> is the text that follows <see cref="ErrorPrefix"/>: the
    /// specification's own where it names one.
    /// </summary>
    public static bool TryParse(ReadOnlyMemory<byte> httpBody, out OnionEnvelope envelope, out string? error)
    {
        envelope = default;
        if (!CombinedPayload.TrySplit(httpBody, out var blob, out var json, out error))
            return false;
        try
        {
            return TryRead(blob, json.Span, out envelope, out error);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped half of a surrogate pair, which the reader notices only when the text is used.
            error = "the metadata is not a valid JSON object";
            return false;
        }
    }

    private static bool TryRead(ReadOnlyMemory<byte> blob, ReadOnlySpan<byte> json, out OnionEnvelope envelope, out string? error)
    {
        envelope = default;
        error = "the metadata is not a valid JSON object";
        var reader = new Utf8JsonReader(json);
        if (!Utf8.IsValid(json) || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return false;

        JsonMember ephemeralKey = default, encType = default, hopNo = default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("ephemeral_key"u8))
                ephemeralKey = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("enc_type"u8))
                encType = JsonMember.Read(ref reader, json);
            else if (reader.ValueTextEquals("hop_no"u8))
                hopNo = JsonMember.Read(ref reader, json);
            else
                _ = JsonMember.Read(ref reader, json);
        }

        // The reader throws on anything but white space after the object.
        _ = reader.Read();

        if (!ephemeralKey.TryGetUtf8(out var hex))
        {
            error = "ephemeral_key is missing or no string";
            return false;
        }

        if (!X25519PublicKey.TryParseHex(hex, out var key))
        {
            error = IsHex(hex)
                ? string.Create(CultureInfo.InvariantCulture, $"Hex key data is invalid: expected 64 hex digits, received {hex.Length}")
                : "Hex key data is invalid: data is not hex";
            return false;
        }

        if (!encType.TryGetCipher(out var cipher))
        {
            error = encType.TryGetString(out var name)
                ? $"Invalid encryption type {(name.Length <= MaxEchoedNameLength ? name : name[..MaxEchoedNameLength])}"
                : "enc_type is no string";
            return false;
        }

        long hop = 0;
        if (hopNo.IsPresent && !hopNo.TryGetInt64(out hop))
        {
            error = "hop_no is no integer";
            return false;
        }

        envelope = new(blob, key, cipher, (int)Math.Clamp(hop, 0, MaxHopNumber + 1));
        error = null;
        return true;
    }

    private static bool IsHex(ReadOnlySpan<byte> text)
    {
        foreach (var character in text)
        {
            if (!char.IsAsciiHexDigit((char)character))
                return false;
        }

        return true;
    }
}
