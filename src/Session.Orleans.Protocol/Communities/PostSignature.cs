using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Communities;

/// <summary>The signature under a room's message, which clients verify (communities.md, 7.4).</summary>
public static class PostSignature
{
    private const byte TopBit = 0x80;

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
