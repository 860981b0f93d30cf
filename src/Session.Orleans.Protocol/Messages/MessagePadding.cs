namespace Session.Orleans.Protocol.Messages;

/// <summary>How the length of a message is hidden (messages.md, 3). Readers accept all of them.</summary>
public enum PaddingStyle
{
    /// <summary>To a multiple of 160 bytes, with at least one zero.</summary>
    Current,

    /// <summary>As older senders do: to one byte less than a multiple of 160.</summary>
    Older,

    /// <summary>The marker alone: config messages, which are padded inside.</summary>
    MarkerOnly,
}

/// <summary>Content, one byte 80, zeros (messages.md, 3).</summary>
public static class MessagePadding
{
    private const int Block = 160;
    private const byte Marker = 0x80;

    /// <summary>The padded content in a new array.</summary>
    public static byte[] Pad(ReadOnlySpan<byte> content, PaddingStyle style = PaddingStyle.Current)
    {
        var length = style switch
        {
            PaddingStyle.Current => content.Length + 1 + Block - ((content.Length + 1) % Block),
            PaddingStyle.Older => ((content.Length + 2 + Block - 1) / Block * Block) - 1,
            _ => content.Length + 1,
        };
        var padded = new byte[length];
        content.CopyTo(padded);
        padded[content.Length] = Marker;
        return padded;
    }

    /// <summary>The content; a buffer without a marker counts as unpadded. False for zeros alone.</summary>
    public static bool TryUnpad(ReadOnlySpan<byte> padded, out int length)
    {
        var last = padded.LastIndexOfAnyExcept((byte)0);
        length = last < 0 ? 0 : padded[last] == Marker ? last : padded.Length;
        return last >= 0;
    }
}
