using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;
using System.Text;

namespace Session.Orleans.Protocol.Identity;

/// <summary>What is wrong with a recovery phrase (identity.md, 7.3).</summary>
public enum RecoveryPhraseError
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Fewer than 12 words, or a group of three is incomplete.</summary>
    NotEnoughWords,

    /// <summary>More words than a seed has.</summary>
    TooManyWords,

    /// <summary>Whole groups of three: the last word, which checks the others, is missing.</summary>
    MissingChecksumWord,

    /// <summary>A word whose first three letters no word of the list has.</summary>
    InvalidWord,

    /// <summary>The last word does not fit the others: a word was replaced or two were exchanged.</summary>
    BadChecksum,
}

/// <summary>The seed of an account as words (identity.md, 7): three words for four bytes, then one that checks them. Only the first three letters of a word count.</summary>
public static class RecoveryPhrase
{
    private const int PrefixLength = 3;
    private const int GroupLength = 3;
    private const int MinWords = 12;

    private static readonly string[] Words = ReadWords();
    private static readonly Dictionary<string, uint> Indices = Words.Index().ToDictionary(word => word.Item[..PrefixLength], word => (uint)word.Index);

    /// <summary>Spells a seed: 13 words for 16 bytes, 25 for 32.</summary>
    /// <param name="seed">A positive multiple of four bytes.</param>
    /// <exception cref="ArgumentException">Another length.</exception>
    public static string Encode(ReadOnlySpan<byte> seed)
    {
        if (seed.IsEmpty || seed.Length % sizeof(uint) != 0)
            throw new ArgumentException("A seed has a positive multiple of four bytes.", nameof(seed));
        var n = (uint)Words.Length;
        var words = new List<string>();
        for (; !seed.IsEmpty; seed = seed[sizeof(uint)..])
        {
            var x = BinaryPrimitives.ReadUInt32LittleEndian(seed);
            var first = x % n;
            var second = ((x / n) + first) % n;
            var third = ((x / n / n) + second) % n;
            words.AddRange([Words[first], Words[second], Words[third]]);
        }

        words.Add(words[ChecksumIndex(words)]);
        return string.Join(' ', words);
    }

    /// <summary>Reads a phrase of 13 words as people type it: any case, any white space.</summary>
    /// <param name="phrase">The phrase.</param>
    /// <param name="seed">16 bytes.</param>
    /// <param name="error">What is wrong, if the answer is false.</param>
    public static bool TryDecode(string phrase, [NotNullWhen(true)] out byte[]? seed, out RecoveryPhraseError error) =>
        TryDecodeExactly(string.Join(' ', phrase.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ToLowerInvariant(), MinWords + 1, out seed, out error);

    /// <summary>The same for up to 25 words: a seed of 32 bytes, which other clients do not read.</summary>
    public static bool TryDecodeLong(string phrase, [NotNullWhen(true)] out byte[]? seed, out RecoveryPhraseError error) =>
        TryDecodeExactly(string.Join(' ', phrase.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)).ToLowerInvariant(), (2 * MinWords) + 1, out seed, out error);

    /// <summary>The reference's strict reading: lower case and single spaces only.</summary>
    internal static bool TryDecodeExactly(string phrase, int maxWords, [NotNullWhen(true)] out byte[]? seed, out RecoveryPhraseError error)
    {
        seed = null;
        var words = phrase.Split(' ');
        error = words.Length < MinWords ? RecoveryPhraseError.NotEnoughWords
            : words.Length > maxWords ? RecoveryPhraseError.TooManyWords
            : (words.Length % GroupLength) switch
            {
                0 => RecoveryPhraseError.MissingChecksumWord,
                2 => RecoveryPhraseError.NotEnoughWords,
                _ => RecoveryPhraseError.None,
            };
        if (error is not RecoveryPhraseError.None)
            return false;

        var n = (ulong)Words.Length;
        var content = words[..^1];
        var bytes = new byte[content.Length / GroupLength * sizeof(uint)];
        for (var i = 0; i < content.Length; i += GroupLength)
        {
            if (!TryFind(content[i], out var first) || !TryFind(content[i + 1], out var second) || !TryFind(content[i + 2], out var third))
            {
                error = RecoveryPhraseError.InvalidWord;
                return false;
            }

            // Beyond 32 bits only in triples that no encoder makes; wrapped like everybody does.
            var x = first + (n * ((n - first + second) % n)) + (n * n * ((n - second + third) % n));
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(i / GroupLength * sizeof(uint)), (uint)x);
        }

        if (Prefix(content[ChecksumIndex(content)]) != Prefix(words[^1]))
        {
            error = RecoveryPhraseError.BadChecksum;
            return false;
        }

        seed = bytes;
        return true;
    }

    private static bool TryFind(string word, out ulong index)
    {
        var found = Indices.TryGetValue(Prefix(word), out var at);
        index = at;
        return found;
    }

    private static int ChecksumIndex(IReadOnlyList<string> words) =>
        (int)(Crc32.HashToUInt32(Encoding.UTF8.GetBytes(string.Concat(words.Select(Prefix)))) % (uint)words.Count);

    private static string Prefix(string word) => word.Length <= PrefixLength ? word : word[..PrefixLength];

    private static string[] ReadWords()
    {
        using var stream = typeof(RecoveryPhrase).Assembly.GetManifestResourceStream("mnemonic-english.txt")!;
        using var reader = new StreamReader(stream, Encoding.ASCII);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
