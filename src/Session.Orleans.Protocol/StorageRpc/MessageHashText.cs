using System.Text;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// A message hash as the client wrote it. Signatures cover this text, and a text can be well formed (43 base64 characters) without being
/// the one spelling of a hash: it then names no stored message.
/// </summary>
/// <param name="Utf8">The text. 43 ASCII characters, except in <c>get_expiries</c>, where the form is not checked.</param>
public readonly record struct MessageHashText(ReadOnlyMemory<byte> Utf8)
{
    /// <summary>The usual spelling of a hash.</summary>
    public MessageHashText(MessageHash hash)
        : this(Spell(hash))
    {
    }

    /// <summary>True for 43 base64 characters.</summary>
    public bool IsWellFormed => Utf8.Length == MessageHash.TextLength && Parsing.Base64Text.DecodedLength(Utf8.Span) == Bytes32.Length;

    /// <summary>The hash, if this is the spelling of one. If not, no stored message is meant.</summary>
    public bool TryGetHash(out MessageHash hash) => MessageHash.TryParse(Utf8.Span, out hash);

    /// <summary>The text.</summary>
    public override string ToString() => Encoding.UTF8.GetString(Utf8.Span);

    /// <summary>Equality of the texts.</summary>
    public bool Equals(MessageHashText other) => Utf8.Span.SequenceEqual(other.Utf8.Span);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Utf8.Span);
        return hash.ToHashCode();
    }

    private static byte[] Spell(MessageHash hash)
    {
        var text = new byte[MessageHash.TextLength];
        hash.WriteText(text);
        return text;
    }
}
