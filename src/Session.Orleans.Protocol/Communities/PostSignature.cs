using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Communities;

/// <summary>The signature under a room's message, which clients verify (communities.md, 7.4).</summary>
public static class PostSignature
{
    private const byte TopBit = 0x80;

    /// <summary>
    /// Writes the 64-byte signature of somebody who is in the room under a Session ID, in the older variant: an Ed25519 signature with the key's
    /// sign in the last bit, which is free because the signature's scalar is below 2^253. Blinded ids sign with <see cref="BlindedKeyPair.Sign"/>.
    /// </summary>
    public static void Sign(Ed25519KeyPair account, ReadOnlySpan<byte> data, Span<byte> signature)
    {
        ArgumentNullException.ThrowIfNull(account);
        account.Sign(data, signature);
        signature[^1] |= (byte)(account.PublicKey.AsSpan()[^1] & TopBit);
    }

    /// <summary>
    /// True if <paramref name="signature"/> (64 bytes) is the author's over <paramref name="data"/>, padding included: plain Ed25519 for blinded
    /// ids, XEd25519 in both variants in use for Session IDs.
    /// </summary>
    public static bool Verify(AccountId author, ReadOnlySpan<byte> data, ReadOnlySpan<byte> signature)
    {
        if (signature.Length != Ed25519.SignatureLength)
            return false;
        if (Blinding.IsBlinded(author))
            return Ed25519.Verify(author.Key.AsSpan(), data, signature);
        Span<byte> key = stackalloc byte[Ed25519.PublicKeyLength];
        if (author.Prefix != AccountId.SessionPrefix || !Ed25519Group.TryFromX25519(author.Key.AsSpan(), key))
            return false;
        // The older variant keeps the key's sign in the signature's last bit; the other one has zero there.
        Span<byte> plain = stackalloc byte[Ed25519.SignatureLength];
        signature.CopyTo(plain);
        key[^1] |= (byte)(plain[^1] & TopBit);
        plain[^1] &= unchecked((byte)~TopBit);
        return Ed25519.Verify(key, data, plain);
    }
}
