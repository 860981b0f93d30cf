namespace Session.Orleans.Contracts;

/// <summary>A word of the operator's for a node, for example its region; a node may have several, and many nodes the same.</summary>
/// <param name="Index">The node. Its labels stay when it is deregistered, for the case that it comes back.</param>
/// <param name="Label">1 to 32 of a-z, 0-9, '-', '_' and '.', the first one a letter.</param>
[GenerateSerializer, Immutable, Alias("session.NodeLabel")]
public readonly record struct NodeLabel([property: Id(0)] int Index, [property: Id(1)] string Label)
{
    /// <summary>Greatest length of a label.</summary>
    public const int MaxLength = 32;

    // From this length on, hex digits are the beginning of a node's key.
    private const int ShortestKeyPrefix = 8;

    /// <summary>What is wrong with a label; null if nothing is.</summary>
    public static string? Problem(string label) =>
        label is not { Length: > 0 and <= MaxLength } || !char.IsAsciiLetterLower(label[0])
            || label.Any(static letter => !(char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter is '-' or '_' or '.'))
            ? $"A label is 1 to {MaxLength} of a-z, 0-9, '-', '_' and '.', and begins with a letter; not '{label}'."
        : label.Length >= ShortestKeyPrefix && label.All(char.IsAsciiHexDigit)
            ? $"'{label}' could be the beginning of a node's key; a label of 8 or more letters needs one that is no hex digit."
        : null;
}
