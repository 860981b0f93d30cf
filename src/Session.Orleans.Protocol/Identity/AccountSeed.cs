using System.Buffers;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Protocol.Identity;

/// <summary>From the seed that people keep to the seed of the Ed25519 key (identity.md, 1).</summary>
public static class AccountSeed
{
    /// <summary>Length of the seed of a new account, in bytes.</summary>
    public const int Length = 16;

    /// <summary>A new random seed of 16 bytes.</summary>
    public static byte[] Generate() => RandomNumberGenerator.GetBytes(Length);

    /// <summary>
    /// The 32-byte seed of the account's Ed25519 key: 32 bytes are taken as they are, otherwise 16 zero bytes are appended and the first 32
    /// bytes count. False below 16 bytes.
    /// </summary>
    public static bool TryExpand(ReadOnlySpan<byte> seed, Span<byte> ed25519Seed)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(ed25519Seed.Length, Ed25519.SeedLength);
        if (seed.Length < Length)
            return false;
        ed25519Seed.Clear();
        seed[..Math.Min(seed.Length, ed25519Seed.Length)].CopyTo(ed25519Seed);
        return true;
    }

    /// <summary>The key pair of an account.</summary>
    /// <param name="seed">At least 16 bytes.</param>
    /// <exception cref="ArgumentException">The seed is too short.</exception>
    public static Ed25519KeyPair CreateKeys(ReadOnlySpan<byte> seed)
    {
        Span<byte> expanded = stackalloc byte[Ed25519.SeedLength];
        try
        {
            return TryExpand(seed, expanded) ? new(expanded) : throw new ArgumentException("An account's seed has at least 16 bytes.", nameof(seed));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(expanded);
        }
    }
}

/// <summary>Names that people give themselves, their contacts and groups (identity.md, 8).</summary>
public static class DisplayName
{
    /// <summary>Longest name, in bytes of UTF-8.</summary>
    public const int MaxBytes = 100;

    /// <summary>True if the name, without white space around it, is neither empty nor too long.</summary>
    public static bool IsValid(string name)
    {
        var trimmed = name.AsSpan().Trim();
        return !trimmed.IsEmpty && System.Text.Encoding.UTF8.GetByteCount(trimmed) <= MaxBytes;
    }

    /// <summary>As much of the name as fits, whole code points only.</summary>
    public static string Truncate(string name)
    {
        Span<byte> utf8 = stackalloc byte[MaxBytes];
        return System.Text.Unicode.Utf8.FromUtf16(name, utf8, out var read, out _) is OperationStatus.Done ? name : name[..read];
    }
}
