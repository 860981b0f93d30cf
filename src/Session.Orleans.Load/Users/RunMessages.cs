using System.Globalization;
using Google.Protobuf;
using Session.Orleans.Load.Plan;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Load.Users;

/// <summary>The texts of a run: each says of itself that it is of this run and which one it is. Safe for concurrent use.</summary>
/// <param name="size">Bytes of a text.</param>
/// <param name="clock">Network time.</param>
internal sealed class RunMessages(Distribution size, Client.NetworkClock clock)
{
    private const string Mark = "load ";
    private const int MaxPost = 2000; // what clients let people write in a room

    // So that messages of another run in the same mailboxes are not taken for this one's.
    private readonly string _run = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray().AsSpan(0, 6));
    private long _number;
    private long _lastTimestamp;

    /// <summary>True for a text of this run.</summary>
    public bool IsOurs(string? text) => text is not null && text.AsSpan().StartsWith(Mark) && text.AsSpan(Mark.Length).StartsWith(_run);

    /// <summary>A text with the sender's random size and letters.</summary>
    /// <param name="sender">Whose random numbers are drawn.</param>
    /// <param name="most">Most bytes.</param>
    public string CreateText(VirtualUser sender, int most)
    {
        var head = string.Create(CultureInfo.InvariantCulture, $"{Mark}{_run} {Interlocked.Increment(ref _number)} ");
        var length = (int)Math.Clamp(sender.Draw((ref SeededRandom random) => size.Draw(ref random)), head.Length, most);
        var seed = sender.Draw((ref SeededRandom random) => random.NextBits());
        return string.Create(length, (head, seed), static (text, from) =>
        {
            from.head.CopyTo(text);
            var random = new SeededRandom(from.seed);
            for (var i = from.head.Length; i < text.Length; i++)
                text[i] = (char)('a' + (random.NextBits() % 26));
        });
    }

    /// <summary>The content of a post: a text and its time, without padding.</summary>
    /// <param name="sender">Whose random numbers are drawn.</param>
    public byte[] CreatePost(VirtualUser sender) => new Content
    {
        DataMessage = new() { Body = CreateText(sender, MaxPost) },
        SignatureTimestamp = (ulong)NextTimestamp(),
    }.ToByteArray();

    /// <summary>Network time in unix ms, no two the same: two messages of one sender with one time would count as one at a client.</summary>
    public long NextTimestamp()
    {
        while (true)
        {
            var last = Interlocked.Read(ref _lastTimestamp);
            var next = Math.Max(last + 1, clock.NowMs);
            if (Interlocked.CompareExchange(ref _lastTimestamp, next, last) == last)
                return next;
        }
    }
}
