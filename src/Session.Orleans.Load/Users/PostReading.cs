using Google.Protobuf;
using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Results;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Load.Users;

/// <summary>Checks posts that polls brought, as clients do (communities.md, 7.4), and enters them in the ledger. Safe for concurrent use.</summary>
/// <param name="ledger">Knows every post.</param>
/// <param name="recorder">Knows every time.</param>
/// <param name="messages">Knows the run's texts.</param>
internal sealed class PostReading(MessageLedger ledger, Recorder recorder, RunMessages messages)
{
    /// <summary>
    /// What the ledger knows a post by: a hash of its bytes and its author, before it is sent. The same bytes under a second number are a duplicate.
    /// </summary>
    public static MessageHash HashOf(AccountId author, ReadOnlySpan<byte> data) => MessageHash.Compute(author, 0, data);

    /// <summary>Takes a post.</summary>
    /// <param name="post">As the server gave it. It was told how far the reader is, so nothing may come again.</param>
    /// <param name="reader">Number of the reader.</param>
    /// <param name="onlineSince">Since when the reader has been online.</param>
    /// <param name="at">When it came.</param>
    public Delivery Take(in RoomPost post, int reader, TimeSpan onlineSince, TimeSpan at)
    {
        var content = Read(post);
        var hash = post.Data is null ? default : HashOf(post.Author, post.Data);
        if (content.Text is null && !ledger.Knows(hash, reader))
        {
            // Nobody posts what he did not sign: something changed it, and which one it was can't be told any more.
            ledger.AddCorrupted();
            return Delivery.Corrupted;
        }

        var delivery = ledger.Deliver(
            new()
            {
                Hash = hash,
                Reader = reader,
                Member = 0,
                IsAfterOthers = true,
                IsIntact = content.Text is not null,
                IsOfThisRun = messages.IsOurs(content.Text),
                Content = content.Bytes,
                At = at,
                OnlineSince = onlineSince,
            },
            out var intended);
        if (delivery is Delivery.InTime or Delivery.Late)
            recorder.Done(Operation.Delivery, intended, at);
        return delivery;
    }

    private static (string? Text, byte[] Bytes) Read(in RoomPost post)
    {
        if (post is not { Data: { } data, Signature: { } signature } || !PostSignature.Verify(post.Author, data, signature) || !MessagePadding.TryUnpad(data, out var length))
            return (null, []);
        try
        {
            var bytes = data[..length];
            return Content.Parser.ParseFrom(bytes).DataMessage is { HasBody: true } message ? (message.Body, bytes) : ("", bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return (null, []);
        }
    }
}
