using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Onion;

/// <summary>What a node does with a layer that reaches it: derive the key and decrypt (onion-requests.md, 3).</summary>
public static class OnionLayer
{
    /// <summary>
    /// Opens a layer into a new array. False is the protocol's "Invalid ciphertext": altered, too short, made for another node, or an
    /// ephemeral key of small order.
    /// </summary>
    /// <param name="node">The receiving node's X25519 pair.</param>
    /// <param name="ephemeral">The client's key for this layer.</param>
    /// <param name="cipher">The cipher of this layer.</param>
    /// <param name="ciphertext">The layer.</param>
    /// <param name="plaintext">What <see cref="OnionInstruction.TryParse"/> takes.</param>
    /// <param name="key">The layer's key, which also encrypts the reply.</param>
    public static bool TryOpen(
        X25519KeyPair node, X25519PublicKey ephemeral, OnionCipher cipher, ReadOnlySpan<byte> ciphertext,
        out ReadOnlyMemory<byte> plaintext, out OnionLayerKey key)
    {
        plaintext = default;
        if (ciphertext.Length < OnionCiphers.GetCiphertextLength(cipher, 0))
        {
            key = default;
            return false;
        }

        if (!OnionLayerKey.TryDeriveForNode(node, ephemeral, cipher, out key))
            return false;
        var opened = GC.AllocateUninitializedArray<byte>(key.GetMaxPlaintextLength(ciphertext.Length));
        if (!key.TryDecrypt(ciphertext, opened, out var written))
        {
            key = default;
            return false;
        }

        plaintext = opened.AsMemory(0, written);
        return true;
    }
}
