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
        if (!TryDerive(node, ephemeral, cipher, ciphertext.Length, out key))
        {
            plaintext = default;
            return false;
        }

        return TryDecrypt(ref key, ciphertext, GC.AllocateUninitializedArray<byte>(key.GetMaxPlaintextLength(ciphertext.Length)), out plaintext);
    }

    /// <summary>
    /// As <see cref="TryOpen"/>, without an array of its own: the plaintext lies where the layer was, of which nothing is left, whatever the
    /// outcome. Ciphers that can't do so take a new array.
    /// </summary>
    /// <param name="node">The receiving node's X25519 pair.</param>
    /// <param name="ephemeral">The client's key for this layer.</param>
    /// <param name="cipher">The cipher of this layer.</param>
    /// <param name="layer">The layer; nobody else may use this memory any more.</param>
    /// <param name="plaintext">What <see cref="OnionInstruction.TryParse"/> takes.</param>
    /// <param name="key">The layer's key, which also encrypts the reply.</param>
    public static bool TryOpenInPlace(
        X25519KeyPair node, X25519PublicKey ephemeral, OnionCipher cipher, Memory<byte> layer, out ReadOnlyMemory<byte> plaintext, out OnionLayerKey key)
    {
        if (!TryDerive(node, ephemeral, cipher, layer.Length, out key))
        {
            plaintext = default;
            return false;
        }

        var room = key.WorksInPlace ? layer[OnionCiphers.GetNonceLength(cipher)..] : new byte[key.GetMaxPlaintextLength(layer.Length)];
        return TryDecrypt(ref key, layer.Span, room, out plaintext);
    }

    private static bool TryDerive(X25519KeyPair node, X25519PublicKey ephemeral, OnionCipher cipher, int length, out OnionLayerKey key)
    {
        key = default;
        return length >= OnionCiphers.GetCiphertextLength(cipher, 0) && OnionLayerKey.TryDeriveForNode(node, ephemeral, cipher, out key);
    }

    private static bool TryDecrypt(ref OnionLayerKey key, ReadOnlySpan<byte> ciphertext, Memory<byte> room, out ReadOnlyMemory<byte> plaintext)
    {
        if (!key.TryDecrypt(ciphertext, room.Span, out var written))
        {
            key = default;
            plaintext = default;
            return false;
        }

        plaintext = room[..written];
        return true;
    }
}
