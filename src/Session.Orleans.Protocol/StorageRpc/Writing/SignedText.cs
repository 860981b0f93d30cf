using System.Buffers.Text;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.StorageRpc.Writing;

/// <summary>Builds the byte strings that signatures cover, into a buffer that is known to be long enough.</summary>
internal ref struct SignedText(Span<byte> destination)
{
    /// <summary>Most characters of a 64-bit number.</summary>
    public const int MaxNumberLength = 20;

    private readonly Span<byte> _destination = destination;

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    /// <summary>What was written.</summary>
    public readonly ReadOnlySpan<byte> Written => _destination[..Length];

    /// <summary>Appends bytes.</summary>
    public void Add(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_destination[Length..]);
        Length += bytes.Length;
    }

    /// <summary>Appends the shortest decimal text of a number: the specification's <c>str(n)</c>.</summary>
    public void Add(long number)
    {
        _ = Utf8Formatter.TryFormat(number, _destination[Length..], out var written);
        Length += written;
    }

    /// <summary>Appends a namespace: nothing for 0, <c>all</c> for all, else the number (storage-rpc.md, 5).</summary>
    public void Add(NamespaceSelector @namespace)
    {
        if (@namespace.IsAll)
            Add("all"u8);
        else if (@namespace.Namespace != 0)
            Add(@namespace.Namespace);
    }

    /// <summary>Appends the account as 66 lower-case hex digits: the specification's <c>PK</c>.</summary>
    public void Add(AccountId account)
    {
        Span<byte> bytes = stackalloc byte[AccountId.Length];
        account.CopyTo(bytes);
        _ = Convert.TryToHexStringLower(bytes, _destination[Length..], out var written);
        Length += written;
    }

    /// <summary>Appends the 43 characters of a hash.</summary>
    public void Add(MessageHash hash)
    {
        hash.WriteText(_destination.Slice(Length, MessageHash.TextLength));
        Length += MessageHash.TextLength;
    }

    /// <summary>Appends texts one after another.</summary>
    public void Add(scoped ReadOnlySpan<MessageHashText> texts)
    {
        foreach (var text in texts)
            Add(text.Utf8.Span);
    }

    /// <summary>Sum of the lengths of texts.</summary>
    public static int LengthOf(ReadOnlySpan<MessageHashText> texts)
    {
        var length = 0;
        foreach (var text in texts)
            length += text.Utf8.Length;
        return length;
    }
}
