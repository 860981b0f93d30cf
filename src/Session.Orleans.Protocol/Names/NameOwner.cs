using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Names;

/// <summary>
/// Who may change a name: an Ed25519 key. Its signed form is 33 bytes, 01 and the key (names.md, 5). Wallet addresses own names on the real
/// chain; a network without coins has no wallets to sign for them.
/// </summary>
/// <param name="Key">The key.</param>
public readonly record struct NameOwner(Ed25519PublicKey Key)
{
    /// <summary>Length of the signed form.</summary>
    public const int Length = 1 + Bytes32.Length;

    private const byte Ed25519Kind = 1;

    /// <summary>Reads 64 hex digits.</summary>
    public static bool TryParse(string? text, out NameOwner owner)
    {
        var ok = Ed25519PublicKey.TryParseHex(text, out var key);
        owner = new(key);
        return ok;
    }

    /// <summary>The signed form.</summary>
    public byte[] ToArray() => [Ed25519Kind, .. Key.AsSpan()];

    /// <summary>64 lower-case hex digits.</summary>
    public override string ToString() => Key.ToString();
}
