using System.Buffers;
using System.Buffers.Binary;

namespace Session.Orleans.Protocol.Zmtp;

/// <summary>The head of a ZMTP frame (ZeroMQ RFC 23, 2.3): what it is and how long its body is.</summary>
/// <param name="IsCommand">A command, as opposed to a part of a message.</param>
/// <param name="HasMore">Another part of the same message follows.</param>
/// <param name="Length">Length of the body, in bytes.</param>
public readonly record struct ZmtpFrameHead(bool IsCommand, bool HasMore, long Length);

/// <summary>ZMTP 3.x greetings and frames (ZeroMQ RFC 23), without I/O.</summary>
public static class ZmtpFraming
{
    /// <summary>Length of a greeting, in bytes.</summary>
    public const int GreetingLength = 64;

    /// <summary>Longest frame head, in bytes.</summary>
    public const int MaxHeadLength = 9;

    private const byte More = 1, Long = 2, Command = 4;
    private const int VersionPosition = 10, MechanismPosition = 12, MechanismLength = 20, ServerPosition = 32;

    /// <summary>The greeting of a server that wants the CURVE mechanism, in version 3.1.</summary>
    public static ReadOnlyMemory<byte> CurveServerGreeting { get; } = CreateGreeting();

    /// <summary>True for the greeting of a CURVE client, version 3 or later. Plain and older peers get no further.</summary>
    /// <param name="greeting">64 bytes.</param>
    public static bool IsCurveClient(ReadOnlySpan<byte> greeting) =>
        greeting.Length == GreetingLength && greeting[0] == 0xff && greeting[9] == 0x7f && greeting[VersionPosition] >= 3
        && greeting.Slice(MechanismPosition, MechanismLength).TrimEnd((byte)0).SequenceEqual("CURVE"u8)
        && greeting[ServerPosition] == 0;

    /// <summary>
    /// Reads the head of the next frame. False without an error if more bytes are needed.
    /// </summary>
    /// <param name="input">What has arrived.</param>
    /// <param name="head">The head.</param>
    /// <param name="consumed">Length of the head, in bytes.</param>
    /// <param name="isMalformed">True if this can't become a frame any more.</param>
    public static bool TryReadHead(in ReadOnlySequence<byte> input, out ZmtpFrameHead head, out int consumed, out bool isMalformed)
    {
        head = default;
        consumed = 0;
        isMalformed = false;
        Span<byte> bytes = stackalloc byte[MaxHeadLength];
        var available = (int)Math.Min(input.Length, MaxHeadLength);
        input.Slice(0, available).CopyTo(bytes);
        if (available < 2)
            return false;
        var flags = bytes[0];
        isMalformed = (flags & ~(More | Long | Command)) != 0 || (flags & (More | Command)) == (More | Command);
        consumed = (flags & Long) != 0 ? MaxHeadLength : 2;
        if (isMalformed || available < consumed)
            return false;
        var length = (flags & Long) != 0 ? BinaryPrimitives.ReadInt64BigEndian(bytes[1..]) : bytes[1];
        isMalformed = length < 0;
        if (!isMalformed)
            head = new((flags & Command) != 0, (flags & More) != 0, length);
        return !isMalformed;
    }

    /// <summary>Writes the head of a frame whose body follows.</summary>
    public static void WriteHead(IBufferWriter<byte> output, ZmtpFrameHead head)
    {
        ArgumentNullException.ThrowIfNull(output);
        var span = output.GetSpan(MaxHeadLength);
        var flags = (head.IsCommand ? Command : 0) | (head.HasMore ? More : 0);
        if (head.Length > byte.MaxValue)
        {
            span[0] = (byte)(flags | Long);
            BinaryPrimitives.WriteInt64BigEndian(span[1..], head.Length);
            output.Advance(MaxHeadLength);
        }
        else
        {
            span[0] = (byte)flags;
            span[1] = (byte)head.Length;
            output.Advance(2);
        }
    }

    private static byte[] CreateGreeting()
    {
        var greeting = new byte[GreetingLength];
        greeting[0] = 0xff;
        greeting[9] = 0x7f;
        greeting[VersionPosition] = 3;
        greeting[VersionPosition + 1] = 1;
        "CURVE"u8.CopyTo(greeting.AsSpan(MechanismPosition));
        greeting[ServerPosition] = 1;
        return greeting;
    }
}
