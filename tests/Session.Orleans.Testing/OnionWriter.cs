using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Testing;

/// <summary>Wraps onion requests step by step, so that a test can put anything into any layer.</summary>
internal static class OnionWriter
{
    public const string ToDestination = """{"headers":{}}""";

    /// <summary>Wraps the plaintext of the last node for a path.</summary>
    /// <param name="path">From the guard to the last node.</param>
    /// <param name="plaintext">What the last node decrypts.</param>
    /// <param name="change">Replaces the plaintext of a layer, or the whole HTTP body at layer -1.</param>
    /// <param name="changeSealed">Replaces the ciphertext of a layer.</param>
    /// <param name="hopNo">The guard's pretended number.</param>
    /// <returns>The HTTP body and the key of each layer, the guard's first.</returns>
    public static (byte[] Body, OnionLayerKey[] Keys) Wrap(
        IReadOnlyList<OnionHop> path, byte[] plaintext, Func<int, byte[], byte[]>? change = null, Func<int, byte[], byte[]>? changeSealed = null,
        int hopNo = 0)
    {
        var keys = new OnionLayerKey[path.Count];
        for (var layer = path.Count - 1; ; layer--)
        {
            plaintext = change?.Invoke(layer, plaintext) ?? plaintext;
            var cipher = path[layer].Cipher ?? OnionCipher.AesGcm;
            var (ciphertext, ephemeral) = Seal(path[layer].X25519, cipher, plaintext, out keys[layer]);
            ciphertext = changeSealed?.Invoke(layer, ciphertext) ?? ciphertext;
            var open = $"\"ephemeral_key\":\"{ephemeral}\",\"enc_type\":\"{OnionCiphers.Name(cipher)}\"";
            if (layer == 0)
            {
                var body = Pack(ciphertext, $"{{{open},\"hop_no\":{hopNo}}}");
                return (change?.Invoke(-1, body) ?? body, keys);
            }

            plaintext = Pack(ciphertext, $"{{\"destination\":\"{path[layer].Ed25519}\",{open}}}");
        }
    }

    /// <summary>One layer with a new ephemeral key.</summary>
    public static (byte[] Ciphertext, X25519PublicKey Ephemeral) Seal(X25519PublicKey node, OnionCipher cipher, byte[] plaintext, out OnionLayerKey key)
    {
        var ephemeral = X25519KeyPair.Generate();
        Assert.True(OnionLayerKey.TryDeriveForClient(ephemeral, node, cipher, out key));
        var ciphertext = new byte[key.GetCiphertextLength(plaintext.Length)];
        key.Encrypt(plaintext, ciphertext);
        return (ciphertext, ephemeral.PublicKey);
    }

    public static byte[] Pack(ReadOnlySpan<byte> blob, string json) => CombinedPayload.Join(blob, Encoding.UTF8.GetBytes(json));

    public static byte[] Pack(string blob, string json) => Pack(Encoding.UTF8.GetBytes(blob), json);
}
