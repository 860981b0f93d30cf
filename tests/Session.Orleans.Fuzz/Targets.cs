using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Fuzz;

/// <summary>A parser under test.</summary>
/// <param name="Name">Names the corpus folder as well.</param>
/// <param name="Create">Makes the input of one case.</param>
/// <param name="Parse">The measured part; must not throw.</param>
/// <param name="Verify">Says what is wrong with the parser's answer to an input; null if nothing is.</param>
public sealed record FuzzTarget(string Name, Func<Random, byte[]> Create, Action<byte[]> Parse, Func<byte[], string?> Verify)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>All parsers of what comes from clients.</summary>
public static class FuzzTargets
{
    private static readonly StorageParseOptions Options = new(TestNetwork: true);
    private static readonly string Key = new('a', 64);
    private static readonly OnionCipher[] Ciphers = [OnionCipher.AesGcm, OnionCipher.XChaCha20, OnionCipher.AesCbc];
    private static readonly X25519KeyPair Node = new(Enumerable.Range(1, 32).Select(i => (byte)i).ToArray());
    private static readonly X25519KeyPair Client = new(Enumerable.Range(101, 32).Select(i => (byte)i).ToArray());
    private static readonly OnionLayerKey[] LayerKeys = [.. Ciphers.Select(cipher => OnionLayerKey.TryDeriveForNode(Node, Client.PublicKey, cipher, out var key) ? key : default)];

    private static readonly Template[] Requests = [.. ReadRequests().Select(Mutation.Analyze)];

    private static readonly Template[] Envelopes = [.. ((string[])
    [
        $$"""{"ephemeral_key":"{{Key}}"}""",
        $$"""{"ephemeral_key":"{{Key}}","enc_type":"xchacha20","hop_no":3}""",
    ]).Select(json => Mutation.Analyze(Encoding.UTF8.GetBytes(json)))];

    private static readonly Template[] Instructions = [.. ((string[])
    [
        """{"headers":{},"json":true,"base64":false,"body":null}""",
        $$"""{"destination":"{{Key}}","ephemeral_key":"{{Key}}","enc_type":"xchacha20"}""",
        $$"""{"host":"example.org","target":"/oxen/v4/lsrpc","method":"POST","protocol":"http","port":80,"ephemeral_key":"{{Key}}"}""",
    ]).Select(json => Mutation.Analyze(Encoding.UTF8.GetBytes(json)))];

    private static readonly Template[] V4Requests = [Mutation.Analyze("""{"method":"GET","endpoint":"/room/a?x=1","headers":{"a":"b"}}"""u8.ToArray())];
    private static readonly Template[] V4Replies = [Mutation.Analyze("""{"code":200,"headers":{"content-type":"application/json"}}"""u8.ToArray())];

    /// <summary>Every target.</summary>
    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("json", random => Mutation.Json(random, Requests[random.Next(Requests.Length)]),
            input => StorageRequest.TryParse(input, Options, out _, out _), VerifyRequest),
        new("bencode", Mutation.Bencode, input => new BencodeReader(input).TrySkip(), VerifyBencode),
        new("payload", random => Payload(random, Instructions), input => CombinedPayload.TrySplit(input, out _, out _, out _), VerifyPayload),
        new("envelope", random => Payload(random, Envelopes), input => OnionEnvelope.TryParse(input, out _, out _),
            input => OnionEnvelope.TryParse(input, out var envelope, out var error)
                ? envelope.Ciphertext.Length > input.Length ? "a ciphertext longer than the payload" : null
                : error is null ? "refused without a text" : null),
        new("instruction", random => Payload(random, Instructions), input => OnionInstruction.TryParse(input, out _),
            input => OnionInstruction.TryParse(input, out var instruction) == (instruction is null) ? "an answer that contradicts itself" : null),
        new("layer", CreateLayer, input => OpenLayer(input), VerifyLayer),
        new("v4-request", random => V4(random, V4Requests), input => OnionV4Request.TryParse(input, out _), _ => null),
        new("v4-reply", random => V4(random, V4Replies), input => OnionV4Response.TryParse(input, out _), _ => null),
        new("text", Mutation.Encoded, ParseTexts, VerifyTexts),
    ];

    private static byte[][] ReadRequests()
    {
        using var vectors = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "vectors", "storage_requests.json")));
        return [.. vectors.RootElement.GetProperty("cases").EnumerateArray().Where(@case => @case.TryGetProperty("request", out var request) && request.GetString()!.Length < 4096)
            .Select(@case => Encoding.UTF8.GetBytes(@case.GetProperty("request").GetString()!))];
    }

    private static byte[] Payload(Random random, Template[] templates)
    {
        var json = Mutation.Json(random, templates[random.Next(templates.Length)]);
        var blob = new byte[random.Next(3) == 0 ? 0 : random.Next(64)];
        random.NextBytes(blob);
        var payload = CombinedPayload.Join(blob, json);
        if (random.Next(6) == 0)
            BinaryPrimitives.WriteUInt32LittleEndian(payload, random.Next(3) switch { 0 => uint.MaxValue - (uint)random.Next(8), 1 => (uint)(payload.Length + random.Next(-6, 6)), _ => (uint)random.Next() });
        return random.Next(8) == 0 ? Mutation.Bytes(random, payload) : payload;
    }

    private static byte[] V4(Random random, Template[] templates)
    {
        var metadata = Mutation.Json(random, templates[random.Next(templates.Length)]);
        var body = new byte[random.Next(40)];
        random.NextBytes(body);
        byte[] message = [(byte)'l', .. Encoding.ASCII.GetBytes($"{metadata.Length}:"), .. metadata, .. Encoding.ASCII.GetBytes($"{body.Length}:"), .. body, (byte)'e'];
        return random.Next(3) == 0 ? Mutation.Bytes(random, message) : message;
    }

    private static string? VerifyRequest(byte[] input)
    {
        if (!StorageRequest.TryParse(input, Options, out var request, out var error))
            return error is { Status: 400, Text.Length: > 0 } ? null : $"refused with {error.Status} '{error.Text}'";
        // What was understood can be written and is understood the same way.
        var written = StorageRequestWriter.ToArray(request);
        return StorageRequest.TryParse(written, Options, out var again, out error) && again.Method == request.Method
            && StorageRequestWriter.ToArray(again).AsSpan().SequenceEqual(written) ? null : $"written as {Encoding.UTF8.GetString(written)}: {error.Text}";
    }

    private static string? VerifyBencode(byte[] input)
    {
        var skipping = new BencodeReader(input);
        var isValid = skipping.TrySkip() && skipping.IsComplete;
        var walking = new BencodeReader(input);
        var output = new ArrayBufferWriter<byte>();
        var walked = Walk(ref walking, new BencodeWriter(output)) && walking.IsComplete;
        // Skipping does not look at the order of keys and the range of numbers, for what is skipped is not used.
        return walked && !isValid ? "read, but not skipped"
            : walked && !output.WrittenSpan.SequenceEqual(input) ? "read and written it is something else: not canonical" : null;
    }

    private static bool Walk(ref BencodeReader reader, BencodeWriter writer)
    {
        switch (reader.Peek())
        {
            case BencodeToken.Number:
                if (reader.TryReadInteger(out long signed))
                    writer.WriteInteger(signed);
                else if (reader.TryReadInteger(out ulong unsigned))
                    writer.WriteInteger(unsigned);
                else
                    return false;
                return true;
            case BencodeToken.Bytes:
                if (!reader.TryReadBytes(out ReadOnlySpan<byte> bytes))
                    return false;
                writer.WriteBytes(bytes);
                return true;
            case BencodeToken.ListStart:
                if (!reader.TryReadListStart())
                    return false;
                writer.WriteListStart();
                while (reader.Peek() is not BencodeToken.End)
                {
                    if (!Walk(ref reader, writer))
                        return false;
                }

                writer.WriteEnd();
                return reader.TryReadEnd();
            case BencodeToken.DictionaryStart:
                if (!reader.TryReadDictionaryStart())
                    return false;
                writer.WriteDictionaryStart();
                var key = default(BencodeKey);
                while (reader.TryReadNextKey(ref key))
                {
                    writer.WriteBytes(key.Value);
                    if (!Walk(ref reader, writer))
                        return false;
                }

                writer.WriteEnd();
                return reader.TryReadEnd();
            default:
                return false;
        }
    }

    private static string? VerifyPayload(byte[] input)
    {
        if (!CombinedPayload.TrySplit(input, out var blob, out var json, out var error))
            return error is null ? "refused without a text" : null;
        return CombinedPayload.Join(blob.Span, json.Span).AsSpan().SequenceEqual(input) ? null : "joined again it is something else";
    }

    // The first byte chooses cipher and whether the key is derived too; the rest is the ciphertext.
    private static byte[] CreateLayer(Random random)
    {
        var plaintext = new byte[random.Next(300)];
        var which = random.Next(Ciphers.Length);
        var ciphertext = new byte[LayerKeys[which].GetCiphertextLength(plaintext.Length)];
        LayerKeys[which].Encrypt(plaintext, ciphertext);
        return [(byte)(which + (random.Next(20) == 0 ? Ciphers.Length : 0)), .. random.Next(3) == 0 ? ciphertext : Mutation.Bytes(random, ciphertext)];
    }

    private static bool OpenLayer(byte[] input)
    {
        if (input.Length == 0)
            return false;
        var key = LayerKeys[input[0] % Ciphers.Length];
        var ciphertext = input.AsSpan(1);
        return key.TryDecrypt(ciphertext, new byte[Math.Max(0, key.GetMaxPlaintextLength(ciphertext.Length))], out _);
    }

    private static string? VerifyLayer(byte[] input)
    {
        if (input.Length == 0 || input[0] % (2 * Ciphers.Length) < Ciphers.Length)
            return null; // deriving the key costs fifty times the rest, so few cases do
        var opened = OnionLayer.TryOpen(Node, Client.PublicKey, Ciphers[input[0] % Ciphers.Length], input.AsMemory(1).Span, out _, out _);
        return opened == OpenLayer(input) ? null : $"the whole layer says {opened}, its key {!opened}";
    }

    private static void ParseTexts(byte[] input)
    {
        _ = AccountId.TryParse(input, out _);
        _ = Ed25519PublicKey.TryParseHex(input, out _);
        _ = MessageHash.TryParse(input, out _);
        _ = SubaccountToken.TryParse(input, out _);
        _ = RequestSignature.TryParse(input, out _);
    }

    private static string? VerifyTexts(byte[] input)
    {
        var text = Encoding.Latin1.GetString(input);
        if (AccountId.TryParse(input, out var account) && !account.ToString().Equals(text, StringComparison.OrdinalIgnoreCase))
            return $"account {account}";
        if (AccountId.TryParse(text, out _) != AccountId.TryParse(input, out _))
            return "account as text and as bytes";
        if (Ed25519PublicKey.TryParseHex(input, out var key) && !key.ToString().Equals(text, StringComparison.OrdinalIgnoreCase))
            return $"key {key}";
        if (MessageHash.TryParse(input, out var hash) && hash.ToString() != text)
            return $"hash {hash}";
        if (RequestSignature.TryParse(input, out _) != IsBase64Of(text, 64, 86, 88))
            return "signature";
        return SubaccountToken.TryParse(input, out _) == (IsBase64Of(text, 36, 48, 48) || (text.Length == 72 && text.All(char.IsAsciiHexDigit))) ? null : "subaccount";
    }

    // The library's decoder as the second opinion on the form; unused bits of the last character may be set.
    private static bool IsBase64Of(string text, int length, int unpadded, int padded)
    {
        if (text.Length != unpadded && text.Length != padded)
            return false;
        if (text.Any(character => !char.IsAsciiLetterOrDigit(character) && character is not ('+' or '/' or '=')))
            return false;
        var body = text.TrimEnd('=');
        return !body.Contains('=') && body.Length == unpadded && text.Length - body.Length == (text.Length == unpadded ? 0 : padded - unpadded) && body.Length * 3 / 4 == length;
    }
}
