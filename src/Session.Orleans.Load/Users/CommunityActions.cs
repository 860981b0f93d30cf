using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Results;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Load.Users;

/// <summary>What users do in communities: join, post and poll, as clients do it (communities.md, 12), with everything taken down. Safe for concurrent use.</summary>
/// <param name="network">Where.</param>
/// <param name="requests">Carries their requests.</param>
/// <param name="messages">Makes their texts.</param>
/// <param name="ledger">Knows every post.</param>
/// <param name="recorder">Knows every time.</param>
/// <param name="clock">The run's clock.</param>
internal sealed class CommunityActions(
    LoadNetwork network, UserRequests requests, RunMessages messages, MessageLedger ledger, Recorder recorder, RunClock clock)
{
    private const int RoomsPerRequest = 20; // servers take 50 requests in a batch at least
    private const string Refused = "may not write";

    private readonly PostReading _reading = new(ledger, recorder, messages);

    /// <summary>Posts a text. A reply that gets lost on the way makes no second post.</summary>
    /// <param name="user">Who.</param>
    /// <param name="reader">Where; the user has joined.</param>
    /// <param name="intended">When it was due.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task PostAsync(VirtualUser user, RoomReader reader, TimeSpan intended, CancellationToken cancellationToken)
    {
        var (at, room) = (reader.At, reader.Room);
        var content = messages.CreatePost(user);
        var data = MessagePadding.Pad(content, PaddingStyle.Older);
        var body = Write(at, data);
        // All members, the author too: it sees its own post in the room as the others do.
        var post = ledger.Open(PostReading.HashOf(at.Keys.Id, data), room.Members, content, intended);
        var before = reader.Cursor;
        var outcome = await requests.AskServerAsync(
            user, at.Server, () => Sign(at, "POST", $"/room/{room.Url.Token}/message", "", body),
            response => CommunityAnswers.TryReadPost(response.Body, out var posted) && posted.Data.AsSpan().SequenceEqual(data) ? null : ErrorClass.Unreadable,
            () => HasArrivedAsync(user, at, room, before, data, cancellationToken), cancellationToken).ConfigureAwait(false);
        recorder.Done(Operation.Post, intended, clock.Now, outcome.Error, outcome.Trace);
        if (outcome.Error is null)
            ledger.Confirm(post, clock.Now);
        else if (outcome.IsRefused)
            ledger.Refuse(post);
        else
            ledger.GiveUp(post);
    }

    /// <summary>One round of polling of all the user's rooms at a server, in one request for up to 20; rooms that are not joined yet are joined first.</summary>
    /// <param name="user">Who.</param>
    /// <param name="at">What it reads.</param>
    /// <param name="intended">When it was due.</param>
    /// <param name="isRecorded">False for rounds that are not part of the load.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task PollAsync(VirtualUser user, CommunityReader at, TimeSpan intended, bool isRecorded, CancellationToken cancellationToken)
    {
        if (!at.TryBegin())
            return;
        try
        {
            var failed = at.Rooms.Any(room => !room.IsJoined) ? await JoinAsync(user, at, cancellationToken).ConfigureAwait(false) : null;
            var (rooms, trace) = (at.Rooms.Where(room => room.IsJoined).ToList(), (string?)null);
            while (rooms.Count > 0)
            {
                var full = new HashSet<RoomReader>();
                foreach (var chunk in rooms.Chunk(RoomsPerRequest))
                {
                    var outcome = await PollAsync(user, at, chunk, full, cancellationToken).ConfigureAwait(false);
                    (failed, trace) = (outcome.Error is null ? failed : outcome, outcome.Trace);
                }

                rooms = [.. full];
            }

            if (isRecorded)
                recorder.Done(Operation.Rooms, intended, clock.Now, failed?.Error, failed is { } last ? last.Trace : trace);
        }
        finally
        {
            at.End();
        }
    }

    /// <summary>The room's sequence number, as the user gets it.</summary>
    public async Task<(long Sequence, Outcome Outcome)> DescribeAsync(VirtualUser user, CommunityReader at, LoadRoom room, CancellationToken cancellationToken)
    {
        var sequence = 0L;
        var outcome = await requests.AskServerAsync(
            user, at.Server, () => Sign(at, "GET", $"/room/{room.Url.Token}", "", null),
            response => !CommunityAnswers.TryReadRoom(response.Body, out sequence, out var mayUse) ? ErrorClass.Unreadable : mayUse ? null : Refused,
            arrived: null, cancellationToken).ConfigureAwait(false);
        return (sequence, outcome);
    }

    /// <returns>The last failure; null if there was none.</returns>
    private async Task<Outcome?> JoinAsync(VirtualUser user, CommunityReader at, CancellationToken cancellationToken)
    {
        var start = clock.Now;
        var capabilities = await requests.AskServerAsync(
            user, at.Server, () => Sign(at, "GET", "/capabilities", "", null), static _ => null, arrived: null, cancellationToken).ConfigureAwait(false);
        if (capabilities.Error is not null)
        {
            recorder.Done(Operation.Join, start, clock.Now, capabilities.Error, capabilities.Trace);
            return capabilities;
        }

        Outcome? failed = null;
        foreach (var room in at.Rooms.Where(room => !room.IsJoined))
        {
            var (_, outcome) = await DescribeAsync(user, at, room.Room, cancellationToken).ConfigureAwait(false);
            recorder.Done(Operation.Join, start, clock.Now, outcome.Error, outcome.Trace);
            room.IsJoined = outcome.Error is null;
            failed = outcome.Error is null ? failed : outcome;
            start = clock.Now;
        }

        return failed;
    }

    private async Task<Outcome> PollAsync(VirtualUser user, CommunityReader at, RoomReader[] rooms, HashSet<RoomReader> full, CancellationToken cancellationToken)
    {
        return await requests.AskServerAsync(
            user, at.Server, () => Sign(at, "POST", "/batch", "", WriteBatch(rooms)),
            response =>
            {
                var answers = new BatchAnswer[1 + (2 * rooms.Length)];
                if (!CommunityAnswers.TryReadBatch(response.Body, answers))
                    return ErrorClass.Unreadable;
                string? error = null;
                for (var i = 0; i < rooms.Length; i++)
                {
                    var answer = answers[2 + (2 * i)];
                    if (answer.Status != 200)
                        error = ErrorClass.Status(answer.Status);
                    else if (!CommunityAnswers.TryReadPage(answer.Body, out var page))
                        error = ErrorClass.Unreadable;
                    else if (Take(user, rooms[i], page))
                        _ = full.Add(rooms[i]);
                }

                return error;
            },
            arrived: null, cancellationToken).ConfigureAwait(false);
    }

    /// <returns>True if there may be more.</returns>
    private bool Take(VirtualUser user, RoomReader reader, in RoomPage page)
    {
        var at = clock.Now;
        foreach (var post in page.Posts)
            _reading.Take(post, user.Number, user.OnlineSince, at);
        if (page.Last <= reader.Cursor)
            return false;
        reader.Cursor = page.Last;
        return page.Count >= CommunityAnswers.PageSize;
    }

    /// <summary>Whether a post whose answer got lost is in the room. If that can't be found out now it is not known to be, and the attempt after the next may.</summary>
    private async Task<bool> HasArrivedAsync(VirtualUser user, CommunityReader at, LoadRoom room, long before, byte[] data, CancellationToken cancellationToken)
    {
        var (found, isFull) = (false, true);
        while (isFull && !found)
        {
            var last = before;
            var outcome = await requests.AskServerAsync(
                user, at.Server, () => Sign(at, "GET", Since(room, before), "t=r", null),
                response =>
                {
                    if (!CommunityAnswers.TryReadPage(response.Body, out var page))
                        return ErrorClass.Unreadable;
                    found = page.Posts.Any(post => post.Data.AsSpan().SequenceEqual(data));
                    (isFull, last) = (page.Count >= CommunityAnswers.PageSize, page.Last);
                    return null;
                },
                arrived: null, cancellationToken).ConfigureAwait(false);
            if (outcome.Error is not null || last <= before)
                break;
            before = last;
        }

        return found;
    }

    private OnionV4Request Sign(CommunityReader at, string method, string path, string query, byte[]? body)
    {
        Span<byte> nonce = stackalloc byte[CommunityRequestSignature.NonceLength];
        RandomNumberGenerator.Fill(nonce);
        var headers = new Dictionary<string, string>(
            CommunityRequestSignature.Sign(at.Keys, at.Server.Key, nonce, network.Clock.NowMs / 1000, method, path, query, body));
        if (body is not null)
            headers["Content-Type"] = "application/json";
        return new(method, query.Length == 0 ? path : $"{path}?{query}", headers, body);
    }

    private static byte[] Write(CommunityReader at, byte[] data)
    {
        Span<byte> signature = stackalloc byte[64];
        at.Keys.Sign(data, signature);
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteBase64String("data"u8, data);
            json.WriteBase64String("signature"u8, signature);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static byte[] WriteBatch(RoomReader[] rooms)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            Get("/capabilities");
            foreach (var room in rooms)
            {
                Get($"/room/{room.Room.Url.Token}/pollInfo/0");
                Get(Since(room.Room, room.Cursor) + "?t=r&reactors=5");
            }

            json.WriteEndArray();

            void Get(string path)
            {
                json.WriteStartObject();
                json.WriteString("method"u8, "GET"u8);
                json.WriteString("path"u8, path);
                json.WriteEndObject();
            }
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static string Since(LoadRoom room, long sequence) =>
        string.Create(CultureInfo.InvariantCulture, $"/room/{room.Url.Token}/messages/since/{sequence}");
}
