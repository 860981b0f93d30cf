using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Protocol.FileServer;

/// <summary>How ids of files are made (file-server.md, 3.2).</summary>
public enum FileIdMode
{
    /// <summary>From the bytes: the same bytes have the same id and are kept once. 44 characters.</summary>
    Content,

    /// <summary>A random number below 2^53 as text, for clients that take ids for numbers. Every upload is a new file.</summary>
    Numeric,
}

/// <summary>Ids of files (file-server.md, 3.2).</summary>
public static class FileId
{
    private const int HashLength = 33;
    private const long NumericEnd = 1L << 53; // beyond it a double is no longer exact

    private static ReadOnlySpan<byte> Salt => "SessionFileSvr\0\0"u8;

    /// <summary>True if it may be an id: 1..44 characters of <c>A-Z a-z 0-9 _ -</c>.</summary>
    public static bool IsWellFormed(ReadOnlySpan<char> id)
    {
        if (id.Length is 0 or > FileServerLimits.MaxIdLength)
            return false;
        foreach (var character in id)
        {
            if (!char.IsAsciiLetterOrDigit(character) && character is not ('_' or '-'))
                return false;
        }

        return true;
    }

    /// <summary>True for ids that name one content for ever, and so may be extended.</summary>
    public static bool IsContentDerived(ReadOnlySpan<char> id) => id.Length == FileServerLimits.MaxIdLength && IsWellFormed(id);

    /// <summary>A random numeric id.</summary>
    public static string NewNumeric()
    {
        Span<byte> bytes = stackalloc byte[sizeof(long)];
        RandomNumberGenerator.Fill(bytes);
        return (BitConverter.ToInt64(bytes) & (NumericEnd - 1)).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>The id of <paramref name="content"/>.</summary>
    public static string OfContent(ReadOnlySpan<byte> content)
    {
        var hash = StartHash();
        hash.Append(content);
        return Finish(hash);
    }

    /// <summary>Starts the hash of a content that arrives in pieces.</summary>
    public static SaltedBlake2b StartHash() => new(HashLength, Salt);

    /// <summary>The id of what was hashed.</summary>
    public static string Finish(SaltedBlake2b hash)
    {
        Span<byte> bytes = stackalloc byte[HashLength];
        hash.Finish(bytes);
        return Base64Url.EncodeToString(bytes);
    }
}
