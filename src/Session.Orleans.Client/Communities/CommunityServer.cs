using System.Buffers;
using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Client.Communities;

/// <summary>
/// One account at one community server (communities.md): its rooms, its direct messages, and what all requests have in common. Sending is safe
/// for concurrent use; poll from one place at a time.
/// </summary>
public sealed class CommunityServer
{
    private const int Attempts = 3;
    private const int PageSize = 100;
    private const int BatchSize = 50; // servers take as many at least
    private const string BlindCapability = "blind";
    private const string JsonType = "application/json", BinaryType = "application/octet-stream", TextType = "text/plain; charset=utf-8";

    private static readonly CommunityAuthenticationError NonceReused = CommunityAuthenticationError.NonceReused;
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly SessionClient _client;
    private readonly BlindedKeyPair _blinded;
    private readonly ConcurrentDictionary<string, CommunityRoom> _rooms = new(StringComparer.OrdinalIgnoreCase);

    // A server that does not require blinding takes blinded requests as well, so they are right until it has said what it wants.
    private volatile bool _isBlinded = true;
    private long _inboxCursor, _outboxCursor;

    internal CommunityServer(SessionClient client, Uri url, X25519PublicKey key, CommunityRoute route)
    {
        _client = client;
        Url = url;
        Key = key;
        Route = route;
        _blinded = new(client.Identity.Keys, key);
    }

    /// <summary>The server's root.</summary>
    public Uri Url { get; }

    /// <summary>The server's X25519 key: its identity.</summary>
    public X25519PublicKey Key { get; }

    /// <summary>How requests get there.</summary>
    public CommunityRoute Route { get; }

    /// <summary>One's id at this server: a blinded id, or the Session ID where the server does not require blinding.</summary>
    public AccountId Id => _isBlinded ? _blinded.Id : _client.Id;

    /// <summary>What the server said it can do: <c>sogs</c>, <c>reactions</c>, <c>blind</c>.</summary>
    public ImmutableArray<string> Capabilities { get; private set; } = [];

    /// <summary>The rooms one has joined.</summary>
    public IReadOnlyCollection<CommunityRoom> Rooms => [.. _rooms.Values];

    internal SessionClient Client => _client;

    /// <summary>Asks what the server can do and whether it requires blinded ids.</summary>
    /// <exception cref="SessionClientException">The server refused or can't be reached.</exception>
    public async Task<ImmutableArray<string>> GetCapabilitiesAsync(CancellationToken cancellationToken = default)
    {
        // Blinded always: that is what every server takes.
        _isBlinded = true;
        LearnCapabilities(await GetJsonAsync("/capabilities", cancellationToken).ConfigureAwait(false));
        return Capabilities;
    }

    /// <summary>All rooms that one may see.</summary>
    /// <exception cref="SessionClientException">The server refused or can't be reached.</exception>
    public async Task<IReadOnlyList<CommunityRoomInfo>> GetRoomsAsync(CancellationToken cancellationToken = default)
    {
        var rooms = await GetJsonAsync("/rooms", cancellationToken).ConfigureAwait(false);
        return rooms.ValueKind is JsonValueKind.Array ? [.. rooms.EnumerateArray().Select(CommunityReading.ReadRoom).OfType<CommunityRoomInfo>()] : throw Unreadable("/rooms");
    }

    /// <summary>Joins a room: asks for its description, and polls it from now on. The server does not notice.</summary>
    /// <param name="token">The room, in any case.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">There is no such room for one (404), or the server can't be reached.</exception>
    public async Task<CommunityRoom> JoinAsync(string token, CancellationToken cancellationToken = default)
    {
        if (!CommunityUrl.IsToken(token))
            throw new ArgumentException("A room's token has 1 to 64 letters, digits, '_' or '-'.", nameof(token));
        var info = CommunityReading.ReadRoom(await GetJsonAsync($"/room/{token}", cancellationToken).ConfigureAwait(false)) ?? throw Unreadable(token);
        var room = _rooms.GetOrAdd(token, _ => new(this, info));
        room.Info = info; // who joins again gets the same room
        return room;
    }

    /// <summary>Polls a room no more.</summary>
    public void Leave(CommunityRoom room)
    {
        ArgumentNullException.ThrowIfNull(room);
        _ = _rooms.TryRemove(room.Token, out _);
    }

    /// <summary>What happens in all joined rooms and in the inbox, for as long as it is enumerated.</summary>
    /// <param name="interval">Pause between two rounds; clients use 10 s.</param>
    /// <param name="cancellationToken">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    public async IAsyncEnumerable<CommunityEvent> IncomingAsync(TimeSpan? interval = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        while (true)
        {
            IReadOnlyList<CommunityEvent> round = [];
            try
            {
                round = await PollAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (SessionClientException exception)
            {
                // The next round brings what was missed.
                _client.TellPollFailed(exception);
            }

            foreach (var happened in round)
                yield return happened;
            await Task.Delay(interval ?? TimeSpan.FromSeconds(10), _client.Network.Time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>One round for all joined rooms, inbox and outbox, in one request for up to 23 rooms (communities.md, 12). The first one brings each room's latest messages.</summary>
    /// <returns>Per room its changes in their order, then direct messages. Messages whose signature is wrong are left out.</returns>
    /// <exception cref="SessionClientException">The server refused or can't be reached; nothing is lost.</exception>
    public async Task<IReadOnlyList<CommunityEvent>> PollAsync(CancellationToken cancellationToken = default)
    {
        var rooms = Rooms.ToArray();
        List<string> paths = ["/capabilities"];
        foreach (var room in rooms)
        {
            paths.Add($"/room/{room.Token}/pollInfo/{room.Info.InfoUpdates.ToString(CultureInfo.InvariantCulture)}");
            paths.Add(room.NextPage);
        }

        var withBoxes = _isBlinded;
        if (withBoxes)
        {
            paths.Add(Since("/inbox", _inboxCursor));
            paths.Add(Since("/outbox", _outboxCursor));
        }

        List<(int Code, JsonElement Body)> replies = [];
        foreach (var batch in paths.Chunk(BatchSize))
            replies.AddRange(await BatchAsync(batch, cancellationToken).ConfigureAwait(false));
        if (replies[0].Code == 200)
            LearnCapabilities(replies[0].Body);
        List<CommunityEvent> events = [];
        for (var i = 0; i < rooms.Length; i++)
        {
            var (poll, page) = (replies[1 + (2 * i)], replies[2 + (2 * i)]);
            if (poll.Code is 403 or 404)
            {
                Leave(rooms[i]);
                events.Add(new CommunityRoomLost(rooms[i], poll.Code));
                continue;
            }

            if (poll.Code == 200 && rooms[i].Learn(poll.Body))
                events.Add(new CommunityRoomChange(rooms[i]));
            if (page.Code == 200)
                await TakePagesAsync(rooms[i], page.Body, events, cancellationToken).ConfigureAwait(false);
        }

        if (withBoxes)
        {
            TakeDirect(replies[^2], ref _inboxCursor, events);
            TakeDirect(replies[^1], ref _outboxCursor, events);
        }

        return events;
    }

    /// <summary>Sends a text to a member by its blinded id; only that member can read it (communities.md, 9).</summary>
    /// <param name="to">A blinded id, as posts name their authors.</param>
    /// <param name="text">1..2000 characters.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="ArgumentException">It is no blinded id, or the text is too long or empty.</exception>
    /// <exception cref="SessionClientException">The server does not know the recipient (404), refused, or can't be reached.</exception>
    public async Task<CommunityDirectMessage> SendTextAsync(AccountId to, string text, CancellationToken cancellationToken = default)
    {
        SessionClient.ThrowIfEmpty(new() { Body = text });
        var data = new DataMessage { Body = text };
        _client.AddProfile(data);
        var content = new Content { DataMessage = data, SignatureTimestamp = (ulong)_client.NextTimestamp() };
        var payload = BlindedMessage.Seal(MessagePadding.Pad(content.ToByteArray(), PaddingStyle.Older), _client.Identity.Keys, _blinded, to);
        var body = WriteJson(json => json.WriteBase64String("message"u8, payload));
        var before = Interlocked.Read(ref _outboxCursor);
        var reply = await SendJsonAsync("POST", $"/inbox/{to}", body, async () =>
        {
            // The payload is sealed once and its nonce random: if the outbox has it, it has arrived.
            var sent = await GetJsonAsync(Since("/outbox", before), cancellationToken).ConfigureAwait(false);
            return sent.ValueKind is not JsonValueKind.Array ? null
                : sent.EnumerateArray().Where(row => CommunityReading.TryBytes(row, "message", out var stored) && stored.AsSpan().SequenceEqual(payload)).Select(row => (JsonElement?)row).FirstOrDefault();
        }, cancellationToken).ConfigureAwait(false);
        return reply.TryNumber("id", out var id) && CommunityReading.TryTime(reply, "posted_at", out var posted) ? new(this, id, _blinded.Id, to, posted, text) { SenderAccount = _client.Id } : throw Unreadable("/inbox");
    }

    /// <summary>Direct messages that came, in their order, from the store of the server; those that nobody sealed are left out.</summary>
    /// <param name="after">Only those with a larger number.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">The server refused or can't be reached.</exception>
    public Task<IReadOnlyList<CommunityDirectMessage>> GetInboxAsync(long after = 0, CancellationToken cancellationToken = default) => GetBoxAsync("/inbox", after, cancellationToken);

    /// <summary>The same for those that one sent.</summary>
    /// <inheritdoc cref="GetInboxAsync"/>
    public Task<IReadOnlyList<CommunityDirectMessage>> GetOutboxAsync(long after = 0, CancellationToken cancellationToken = default) => GetBoxAsync("/outbox", after, cancellationToken);

    /// <summary>Deletes all direct messages that came.</summary>
    /// <returns>How many there were.</returns>
    /// <exception cref="SessionClientException">The server refused or can't be reached.</exception>
    public async Task<int> ClearInboxAsync(CancellationToken cancellationToken = default) =>
        (await SendJsonAsync("DELETE", "/inbox", null, null, cancellationToken).ConfigureAwait(false)).TryNumber("deleted", out var count) ? (int)count : 0;

    /// <summary>
    /// Signs and sends a request, again when the server fails or a lost reply leaves open whether the request arrived. Refusals are final: the
    /// same request would be refused again.
    /// </summary>
    /// <param name="method">HTTP method.</param>
    /// <param name="endpoint">Path and query, percent-encoded.</param>
    /// <param name="body">The body; null if there is none.</param>
    /// <param name="contentType">The body's type.</param>
    /// <param name="arrived">
    /// Looks for the effect of an earlier attempt before a request is repeated that must not be carried out twice; null if twice does no harm.
    /// </param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">The server refused or can't be reached.</exception>
    internal async Task<(OnionV4Response? Response, JsonElement Arrived)> SendAsync(
        string method, string endpoint, ReadOnlyMemory<byte>? body, string contentType, Func<Task<JsonElement?>>? arrived, CancellationToken cancellationToken)
    {
        var hasLearned = false;
        for (var i = 1; ; i++)
        {
            var response = await SendOnceAsync(method, endpoint, body, contentType, cancellationToken).ConfigureAwait(false);
            if (response.Code is >= 200 and < 300)
            {
                // What clients take; anything else did not come from a community server.
                return response.Headers.GetValueOrDefault("content-type") is JsonType or TextType or BinaryType ? (response, default) : throw Unreadable(endpoint);
            }

            if (response.Code == 304)
                return (response, default);
            var text = Encoding.UTF8.GetString(response.Body.Span);
            if (response.Code == 400 && text == CommunityAuthenticationError.BlindingRequired.Text && !hasLearned)
            {
                // The server has begun to require blinding.
                hasLearned = true;
                _ = await GetCapabilitiesAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            // Nonces are random: one that was used is this request's own, whose reply got lost on the way.
            var mayRepeat = response.Code >= 500 || (response.Code == NonceReused.Status && text == NonceReused.Text);
            if (!mayRepeat || i == Attempts)
            {
                throw new SessionClientException(
                    string.Create(CultureInfo.InvariantCulture, $"The community server answered {response.Code} to {method} {endpoint}: {text}"), response.Code);
            }

            if (arrived is not null && await arrived().ConfigureAwait(false) is { } effect)
                return (null, effect);
        }
    }

    internal async Task<JsonElement> SendJsonAsync(
        string method, string endpoint, ReadOnlyMemory<byte>? body, Func<Task<JsonElement?>>? arrived, CancellationToken cancellationToken)
    {
        var (response, effect) = await SendAsync(method, endpoint, body, JsonType, arrived, cancellationToken).ConfigureAwait(false);
        return response is null ? effect : response.Code == 304 ? default : Parse(response.Body, endpoint);
    }

    internal Task<JsonElement> GetJsonAsync(string endpoint, CancellationToken cancellationToken) => SendJsonAsync("GET", endpoint, null, null, cancellationToken);

    /// <summary>The signature under a post, by the id that one has here.</summary>
    internal byte[] Sign(ReadOnlySpan<byte> data)
    {
        var signature = new byte[64];
        if (_isBlinded)
            _blinded.Sign(data, signature);
        else
            PostSignature.Sign(_client.Identity.Keys, data, signature);
        return signature;
    }

    internal static byte[] WriteJson(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WriterOptions))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    internal static SessionClientException Unreadable(string endpoint) => new($"The community server's answer to {endpoint} can't be read.");

    private static string Since(string box, long cursor) => cursor == 0 ? box : string.Create(CultureInfo.InvariantCulture, $"{box}/since/{cursor}");

    private async Task<IReadOnlyList<CommunityDirectMessage>> GetBoxAsync(string box, long after, CancellationToken cancellationToken)
    {
        List<CommunityEvent> messages = [];
        // Page by page, as a box may hold more than one.
        for (var cursor = after; ;)
        {
            var reply = await GetJsonAsync(Since(box, cursor), cancellationToken).ConfigureAwait(false);
            if (TakeDirect((reply.ValueKind is JsonValueKind.Undefined ? 304 : 200, reply), ref cursor, messages) < PageSize)
                return [.. messages.Cast<CommunityDirectMessage>()];
        }
    }

    private int TakeDirect((int Code, JsonElement Body) reply, ref long cursor, List<CommunityEvent> events)
    {
        if (reply.Code != 200 || reply.Body.ValueKind is not JsonValueKind.Array)
            return 0;
        foreach (var row in reply.Body.EnumerateArray())
        {
            if (row.TryNumber("id", out var id))
                cursor = Math.Max(cursor, id);
            if (CommunityReading.ReadDirect(this, _client.Identity, _blinded, row) is { } message)
                events.Add(message);
        }

        return reply.Body.GetArrayLength();
    }

    private async Task TakePagesAsync(CommunityRoom room, JsonElement page, List<CommunityEvent> events, CancellationToken cancellationToken)
    {
        while (room.Take(page, events) == PageSize)
        {
            // A full page: there may be more. What was taken is not lost if the next page can't be had now.
            try
            {
                page = await GetJsonAsync(room.NextPage, cancellationToken).ConfigureAwait(false);
            }
            catch (SessionClientException exception)
            {
                _client.TellPollFailed(exception);
                return;
            }
        }
    }

    private async Task<(int Code, JsonElement Body)[]> BatchAsync(string[] paths, CancellationToken cancellationToken)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WriterOptions))
        {
            json.WriteStartArray();
            foreach (var path in paths)
            {
                json.WriteStartObject();
                json.WriteString("method"u8, "GET"u8);
                json.WriteString("path"u8, path);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        var replies = await SendJsonAsync("POST", "/batch", buffer.WrittenMemory, null, cancellationToken).ConfigureAwait(false);
        if (replies.ValueKind is not JsonValueKind.Array || replies.GetArrayLength() != paths.Length)
            throw Unreadable("/batch");
        return [.. replies.EnumerateArray().Select(reply => (
            reply.TryNumber("code", out var code) ? (int)code : 0,
            reply.TryMember("body", out var body) ? body : default))];
    }

    private Task<OnionV4Response> SendOnceAsync(string method, string endpoint, ReadOnlyMemory<byte>? body, string contentType, CancellationToken cancellationToken)
    {
        var mark = endpoint.IndexOf('?', StringComparison.Ordinal);
        var path = Uri.UnescapeDataString(mark < 0 ? endpoint : endpoint[..mark]);
        var query = mark < 0 ? "" : endpoint[(mark + 1)..];
        Span<byte> nonce = stackalloc byte[CommunityRequestSignature.NonceLength];
        RandomNumberGenerator.Fill(nonce);
        var now = _client.Network.Clock.NowMs / 1000;
        var content = body.GetValueOrDefault().Span;
        var headers = new Dictionary<string, string>(_isBlinded
            ? CommunityRequestSignature.Sign(_blinded, Key, nonce, now, method, path, query, content)
            : CommunityRequestSignature.Sign(_client.Identity.Keys, Key, nonce, now, method, path, query, content));
        if (body is not null)
            headers["Content-Type"] = contentType;
        var request = new OnionV4Request(method, endpoint, headers, body);
        var address = new ServerAddress(Url, Key);
        return Route is CommunityRoute.Direct
            ? _client.Network.SendDirectlyAsync(address, request, cancellationToken) : _client.Network.SendToServerAsync(address, request, cancellationToken);
    }

    private void LearnCapabilities(JsonElement json)
    {
        Capabilities = CommunityReading.ReadTexts(json, "capabilities");
        if (!Capabilities.IsEmpty)
            _isBlinded = Capabilities.Contains(BlindCapability);
    }

    internal static JsonElement Parse(ReadOnlyMemory<byte> body, string endpoint)
    {
        try
        {
            return JsonElement.Parse(body.Span);
        }
        catch (JsonException)
        {
            throw Unreadable(endpoint);
        }
    }
}
