using System.Globalization;
using System.Text;
using NSec.Cryptography;

namespace Session.Orleans.Conformance.Harness;

/// <summary>An account of one test.</summary>
internal sealed class Account
{
    private readonly Key _key = Crypto.NewSigningKey();

    private Account(byte prefix, bool isConverted)
    {
        SigningKey = _key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        Bytes = [prefix, .. isConverted ? Crypto.ToX25519(SigningKey) : SigningKey];
        NeedsEd25519 = isConverted;
    }

    private Account(byte prefix, Account other)
    {
        (_key, SigningKey) = (other._key, other.SigningKey);
        Bytes = [prefix, .. other.Bytes.AsSpan(1)];
    }

    /// <summary>Prefix and 32 bytes.</summary>
    public byte[] Bytes { get; }

    /// <summary>Lower-case hex with the prefix: what <c>pubkey</c> is, and what members sign.</summary>
    public string Hex => Convert.ToHexStringLower(Bytes);

    /// <summary>The Ed25519 key that verifies its signatures.</summary>
    public byte[] SigningKey { get; }

    public string SigningKeyHex => Convert.ToHexStringLower(SigningKey);

    /// <summary>True for a Session ID, whose requests name the signing key.</summary>
    public bool NeedsEd25519 { get; }

    /// <summary>A Session ID: 05 and the X25519 form of the key.</summary>
    public static Account Session() => new(0x05, isConverted: true);

    /// <summary>An account that signs with the key in its own name; 03 is a group.</summary>
    public static Account Group(byte prefix = 0x03) => new(prefix, isConverted: false);

    /// <summary>The same 32 bytes under another prefix.</summary>
    public Account WithPrefix(byte prefix) => new(prefix, this);

    public string Sign(ReadOnlySpan<byte> message) => Convert.ToBase64String(Crypto.Sign(_key, message));

    public string Sign(string message) => Sign(Encoding.UTF8.GetBytes(message));

    /// <summary>A message's hash (storage-rpc.md, 8).</summary>
    public string HashOf(ReadOnlySpan<byte> data, int @namespace = 0) => Convert.ToBase64String(
        Crypto.Blake2b([.. Bytes, .. Encoding.ASCII.GetBytes(Text.Namespace(@namespace)), .. data])).TrimEnd('=');
}

/// <summary>A token that lets another key act for an account (storage-rpc.md, 3.2).</summary>
internal sealed class Subaccount
{
    public const int Read = 1, Write = 2, Delete = 4, AnyPrefix = 8;

    private readonly Key _key = Crypto.NewSigningKey();

    public Subaccount(Account owner, int flags, byte? prefix = null, ushort reserved = 0, Account? signer = null)
    {
        Token = [prefix ?? owner.Bytes[0], (byte)flags, (byte)(reserved >> 8), (byte)reserved, .. _key.PublicKey.Export(KeyBlobFormat.RawPublicKey)];
        TokenSignature = (signer ?? owner).Sign(Token);
    }

    /// <summary>36 bytes.</summary>
    public byte[] Token { get; }

    public string TokenBase64 => Convert.ToBase64String(Token);

    /// <summary>The account's signature of the token.</summary>
    public string TokenSignature { get; }

    public string Sign(string message) => Convert.ToBase64String(Crypto.Sign(_key, Encoding.UTF8.GetBytes(message)));
}

/// <summary>Texts as the protocol writes them.</summary>
internal static class Text
{
    public static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>A namespace in signed texts: empty for 0.</summary>
    public static string Namespace(int @namespace) => @namespace == 0 ? "" : Number(@namespace);

    public static string[] Sorted(IEnumerable<string> texts) => [.. texts.Order(StringComparer.Ordinal)];
}
