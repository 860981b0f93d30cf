using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Session.Orleans.Conformance.Harness;

/// <summary>Builds onion requests step by step (onion-requests.md, 9), so that a rule can put anything into any layer.</summary>
internal static class Onion
{
    public const string ToDestination = """{"headers":{}}""";

    /// <summary>u32 little-endian length, blob, JSON (section 1).</summary>
    public static byte[] Pack(ReadOnlySpan<byte> blob, string json)
    {
        var text = Encoding.UTF8.GetBytes(json);
        var payload = new byte[4 + blob.Length + text.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(payload, (uint)blob.Length);
        blob.CopyTo(payload.AsSpan(4));
        text.CopyTo(payload.AsSpan(4 + blob.Length));
        return payload;
    }

    public static byte[] Pack(string blob, string json) => Pack(Encoding.UTF8.GetBytes(blob), json);

    /// <summary>Wraps the plaintext of the last node for a path.</summary>
    /// <param name="path">From the guard to the last node.</param>
    /// <param name="plaintext">What the last node decrypts.</param>
    /// <param name="cipherOf">Cipher of each layer; aes-gcm by default.</param>
    /// <param name="hopNo">The guard's pretended number, as JSON; not sent if null.</param>
    /// <param name="change">Replaces the plaintext of a layer, or the whole HTTP body at layer -1.</param>
    /// <param name="changeSealed">Replaces the ciphertext of a layer.</param>
    public static OnionRequest Wrap(
        IReadOnlyList<Node> path, byte[] plaintext, Func<int, string>? cipherOf = null, string? hopNo = null,
        Func<int, byte[], byte[]>? change = null, Func<int, byte[], byte[]>? changeSealed = null)
    {
        var keys = new LayerKey[path.Count];
        for (var layer = path.Count - 1; ; layer--)
        {
            plaintext = change?.Invoke(layer, plaintext) ?? plaintext;
            var cipher = cipherOf?.Invoke(layer) ?? "aes-gcm";
            var made = Crypto.Seal(cipher, path[layer].X25519, plaintext);
            keys[layer] = made.Key;
            var ciphertext = changeSealed?.Invoke(layer, made.Ciphertext) ?? made.Ciphertext;
            var open = $"\"ephemeral_key\":\"{Convert.ToHexStringLower(made.EphemeralKey)}\",\"enc_type\":\"{cipher}\"";
            if (layer == 0)
            {
                var body = Pack(ciphertext, hopNo is null ? $"{{{open}}}" : $"{{{open},\"hop_no\":{hopNo}}}");
                return new(path[0], change?.Invoke(-1, body) ?? body, keys);
            }

            plaintext = Pack(ciphertext, $"{{\"destination\":\"{path[layer].Ed25519Hex}\",{open}}}");
        }
    }

    /// <summary>A storage request for the last node of a path.</summary>
    public static OnionRequest ToNode(IReadOnlyList<Node> path, string request, Func<int, string>? cipherOf = null, string options = ToDestination) =>
        Wrap(path, Pack(request, options), cipherOf);

    /// <summary>The plaintext that has its node relay to a server (section 5).</summary>
    public static byte[] ToServer(string host, int port, string target, string protocol = "http", string blob = "payload") => Pack(blob,
        string.Create(CultureInfo.InvariantCulture, $$"""{"host":"{{host}}","port":{{port}},"target":"{{target.Replace("\\", "\\\\", StringComparison.Ordinal)}}","protocol":"{{protocol}}","method":"POST"}"""));
}

/// <summary>A finished request: where it goes, its body, and the key of each layer.</summary>
internal sealed record OnionRequest(Node Guard, byte[] Body, LayerKey[] Keys);
