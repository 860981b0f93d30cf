using System.Buffers;
using System.Diagnostics.CodeAnalysis;

namespace Session.Orleans.Chain.Accounts;

/// <summary>
/// Name of an account in the ledger: 1 to 128 ASCII letters, digits, hyphens, underscores and dots. A name that an operator likes will do as
/// well as a real wallet address or a Session ID; nobody signs anything here.
/// </summary>
public readonly record struct WalletAddress : IComparable<WalletAddress>
{
    /// <summary>Longest address, in characters.</summary>
    public const int MaxLength = 128;

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    private readonly string? _text;

    /// <summary>Takes a valid address.</summary>
    /// <exception cref="FormatException">It is empty, too long or has other characters.</exception>
    public WalletAddress(string text) => _text = IsAddress(text) ? text : throw new FormatException(
        $"A wallet address is 1 to {MaxLength} ASCII letters, digits, hyphens, underscores and dots.");

    /// <summary>False for the default value, which is nobody's address.</summary>
    public bool IsValid => _text is not null;

    /// <summary>Checks and takes an address.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out WalletAddress address)
    {
        var ok = IsAddress(text);
        address = ok ? new(text!) : default;
        return ok;
    }

    /// <summary>The text; empty for the default value.</summary>
    public override string ToString() => _text ?? "";

    /// <summary>Order by character value, the same everywhere.</summary>
    public int CompareTo(WalletAddress other) => string.CompareOrdinal(_text, other._text);

    /// <summary>Order by character value.</summary>
    public static bool operator <(WalletAddress left, WalletAddress right) => left.CompareTo(right) < 0;

    /// <summary>Order by character value.</summary>
    public static bool operator >(WalletAddress left, WalletAddress right) => left.CompareTo(right) > 0;

    /// <summary>Order by character value.</summary>
    public static bool operator <=(WalletAddress left, WalletAddress right) => left.CompareTo(right) <= 0;

    /// <summary>Order by character value.</summary>
    public static bool operator >=(WalletAddress left, WalletAddress right) => left.CompareTo(right) >= 0;

    private static bool IsAddress(string? text) => text is { Length: > 0 and <= MaxLength } && !text.AsSpan().ContainsAnyExcept(Allowed);
}
