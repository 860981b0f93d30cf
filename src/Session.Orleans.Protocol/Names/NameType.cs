namespace Session.Orleans.Protocol.Names;

/// <summary>What a name stands for, as it is stored (names.md, 1).</summary>
public enum NameType
{
    /// <summary>A Session ID, 33 bytes.</summary>
    Session = 0,

    /// <summary>A wallet address, 65 bytes, or 73 with a payment id.</summary>
    Wallet = 1,

    /// <summary>A network domain's Ed25519 key, 32 bytes.</summary>
    Domain = 2,
}

/// <summary>Spellings and lengths of name types (names.md, 1 and 4).</summary>
public static class NameTypes
{
    /// <summary>Greatest number that a request may name; 3 to 5 are domains of other durations.</summary>
    public const int HighestNumber = 5;

    // Durations in blocks: 368 days of 720 blocks a year (names.md, 6).
    private const long BlocksPerYear = 264_960;
    private const long TestBlocksPerYear = 720;

    private static readonly (string Spelling, int Number)[] Spellings =
    [
        ("session", 0), ("wallet", 1), ("lokinet", 2), ("lokinet_1y", 2), ("lokinet_1years", 2), ("lokinet_2y", 3), ("lokinet_2years", 3),
        ("lokinet_5y", 4), ("lokinet_5years", 4), ("lokinet_10y", 5), ("lokinet_10years", 5),
    ];

    /// <summary>Reads a number of 0 to 5.</summary>
    public static bool TryParse(int number, out NameType type)
    {
        type = number >= (int)NameType.Domain ? NameType.Domain : (NameType)number;
        return number is >= 0 and <= HighestNumber;
    }

    /// <summary>Reads a spelling, in any case, as the number that requests use (0 to 5).</summary>
    public static bool TryParse(string text, out int number)
    {
        foreach (var (spelling, value) in Spellings)
        {
            if (string.Equals(spelling, text, StringComparison.OrdinalIgnoreCase))
            {
                number = value;
                return true;
            }
        }

        number = 0;
        return false;
    }

    /// <summary>For how many blocks a purchase or renewal of this number (0 to 5) lasts; null for ever.</summary>
    /// <param name="number">The number.</param>
    /// <param name="isTestNetwork">True for the shorter terms of a test network.</param>
    public static long? Duration(int number, bool isTestNetwork) => number switch
    {
        2 => isTestNetwork ? TestBlocksPerYear : BlocksPerYear,
        3 => 2 * (isTestNetwork ? TestBlocksPerYear : BlocksPerYear),
        4 => 5 * (isTestNetwork ? TestBlocksPerYear : BlocksPerYear),
        5 => 10 * BlocksPerYear, // the same everywhere
        _ => null,
    };

    /// <summary>True if a plain value has this length in bytes.</summary>
    public static bool IsValueLength(NameType type, int length) => type switch
    {
        NameType.Session => length == 33,
        NameType.Wallet => length is 65 or 73,
        _ => length == 32,
    };

    /// <summary>True if a stored value of the modern form, ciphertext and nonce, has this length in bytes.</summary>
    public static bool IsStoredLength(NameType type, int length) => IsValueLength(type, length - NameCipher.Overhead);
}
