using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Session.Orleans.Client;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Testnet.Scenarios;

/// <summary>
/// Clients that store and poll through onion paths at a steady rate, and a ledger: what the network acknowledged, and what it gave back.
/// </summary>
internal sealed class TrafficClient : IDisposable
{
    /// <summary>Room for a number that is a message's own.</summary>
    public const int LeastSize = 16;

    /// <summary>What a service node takes.</summary>
    public const int MostSize = 76_800;

    private static readonly TimeSpan TimeToLive = TimeSpan.FromDays(1);
    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan SettlePause = TimeSpan.FromMilliseconds(250);
    private const int ReadersAtOnce = 8;

    private readonly TrafficSettings _settings;
    private readonly HttpClient _http;
    private readonly IReadOnlyList<SnodeAddress> _pool;
    private readonly Mailbox[] _mailboxes;
    private readonly ConcurrentQueue<TrafficSample> _samples = new();
    private readonly ConcurrentDictionary<string, int> _failedAttempts = new();
    private Stopwatch _clock = new();

    public TrafficClient(TrafficSettings settings, IEnumerable<NodeReport> nodes, IReadOnlyList<SwarmReport> swarms)
    {
        _settings = settings;
        _http = SessionHttp.Create(settings.Timeout);
        var byIndex = nodes.ToDictionary(node => node.Index, node => new SnodeAddress(
            Ed25519PublicKey.ParseHex(node.Ed25519), X25519PublicKey.ParseHex(node.X25519), node.Ip, node.HttpsPort));
        _pool = [.. byIndex.Values];
        if (_pool.Count <= OnionPath.DefaultLength || swarms.Count == 0)
            throw new CommandException(ExitCodes.Failed, $"Traffic needs a swarm and more than {OnionPath.DefaultLength} service nodes for its paths; the network has {_pool.Count}.");
        var ids = swarms.Select(swarm => new SwarmId(ulong.Parse(swarm.Id, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture))).ToArray();
        var ring = new SwarmRing(ids);
        _mailboxes = [.. Enumerable.Range(0, settings.Accounts).Select(i => new Mailbox(
            Account(ring, ids[i % ids.Length]), [.. swarms[i % swarms.Count].Members.Select(member => byIndex[member])]))];
    }

    /// <summary>Everything that was measured.</summary>
    public IReadOnlyCollection<TrafficSample> Samples => _samples;

    /// <summary>How often attempts failed, by reason.</summary>
    public IReadOnlyDictionary<string, int> FailedAttempts => _failedAttempts;

    /// <summary>Messages that the network acknowledged.</summary>
    public int Acknowledged => _mailboxes.Sum(mailbox => mailbox.Acknowledged.Count);

    /// <summary>Those of them that polls brought back while the scenario ran.</summary>
    public int Polled => _mailboxes.Sum(mailbox => mailbox.Acknowledged.Keys.Count(mailbox.Polled.ContainsKey));

    /// <summary>Stores and polls until <paramref name="clock"/> shows <paramref name="end"/>, and until the last of them has its answer.</summary>
    public async Task RunAsync(TimeSpan end, Stopwatch clock, CancellationToken cancellationToken)
    {
        _clock = clock;
        await Task.WhenAll(
            PaceAsync(_settings.Stores, end, StoreAsync, cancellationToken), PaceAsync(_settings.Polls, end, PollAsync, cancellationToken));
    }

    /// <summary>
    /// Reads every mailbox whole, each time at a random member, until all that was acknowledged has been found, or the time is over: a message is
    /// lost if no member has it, and a member that was away needs time to catch up.
    /// </summary>
    public async Task<TrafficLedger> SettleAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        var watch = Stopwatch.StartNew();
        var ledgers = new ConcurrentBag<TrafficLedger>();
        await Parallel.ForEachAsync(_mailboxes, new ParallelOptions { MaxDegreeOfParallelism = ReadersAtOnce, CancellationToken = cancellationToken }, async (mailbox, stop) =>
        {
            while (true)
            {
                mailbox.Add(await TryReadAllAsync(mailbox, stop));
                var ledger = mailbox.Compare();
                if (ledger.Lost == 0 || watch.Elapsed > limit)
                {
                    ledgers.Add(ledger);
                    return;
                }

                await Task.Delay(SettlePause, stop);
            }
        });
        return new(ledgers.Sum(ledger => ledger.Lost), ledgers.Sum(ledger => ledger.Duplicated), ledgers.Sum(ledger => ledger.Corrupted));
    }

    public void Dispose() => _http.Dispose();

    private static Ed25519KeyPair Account(SwarmRing ring, SwarmId wanted)
    {
        while (true)
        {
            var keys = Ed25519KeyPair.Generate();
            if (ring.TryFind(keys.SessionId, out var swarm) && swarm == wanted)
                return keys;
        }
    }

    // The rate is kept whatever the answers take: clients out there don't wait for each other.
    private async Task PaceAsync(double perSecond, TimeSpan end, Func<Mailbox, TimeSpan, CancellationToken, Task> request, CancellationToken cancellationToken)
    {
        var running = new List<Task>();
        for (var i = 0L; ; i++)
        {
            var due = TimeSpan.FromSeconds(i / perSecond);
            if (due >= end)
                break;
            if (due - _clock.Elapsed is { } pause && pause > TimeSpan.Zero)
                await Task.Delay(pause, cancellationToken);
            running.RemoveAll(task => task.IsCompletedSuccessfully);
            running.Add(request(_mailboxes[i % _mailboxes.Length], _clock.Elapsed, cancellationToken));
        }

        await Task.WhenAll(running);
    }

    private async Task StoreAsync(Mailbox mailbox, TimeSpan begin, CancellationToken cancellationToken)
    {
        var data = RandomNumberGenerator.GetBytes(_settings.Size);
        // Attempts are the same message to the byte, so that a second one can't store it twice.
        var storage = new StorageClient(new OnionClient(_http), _pool, new FrozenTime(DateTimeOffset.UtcNow));
        var receipt = await TryAsync(mailbox, begin, isStore: true, async (path, destination) =>
        {
            var stored = await storage.StoreAsync(path, destination, mailbox.Keys.SessionId, data, TimeToLive, cancellationToken);
            return (stored, stored.Members.Count(member => !member.IsValid));
        }, cancellationToken);
        if (receipt is not null)
            mailbox.Acknowledged[receipt.Hash] = data;
    }

    private async Task PollAsync(Mailbox mailbox, TimeSpan begin, CancellationToken cancellationToken)
    {
        var storage = new StorageClient(new OnionClient(_http), _pool, TimeProvider.System);
        var last = mailbox.Last;
        var page = await TryAsync(mailbox, begin, isStore: false, async (path, destination) =>
            (await storage.RetrieveAsync(path, destination, mailbox.Keys, Parse(last), cancellationToken), 0), cancellationToken);
        foreach (var message in page?.Messages ?? [])
            mailbox.Polled[message.Hash] = true;
        if (page is { Messages: [.., var newest] })
            mailbox.Last = newest.Hash;
    }

    private async Task<T?> TryAsync<T>(
        Mailbox mailbox, TimeSpan begin, bool isStore, Func<OnionPath, SnodeAddress, Task<(T Result, int BadConfirmations)>> attempt, CancellationToken cancellationToken)
        where T : class
    {
        var watch = Stopwatch.StartNew();
        for (var i = 1; ; i++)
        {
            var destination = mailbox.Members[Random.Shared.Next(mailbox.Members.Count)];
            try
            {
                var (result, bad) = await attempt(OnionPath.Choose(_pool, destination), destination);
                _samples.Enqueue(new(begin, isStore, watch.Elapsed, Succeeded: true, bad));
                return result;
            }
            catch (Exception exception) when (IsFailure(exception))
            {
                _failedAttempts.AddOrUpdate(Reason(exception), 1, (_, count) => count + 1);
                if (i < _settings.Attempts)
                {
                    await Task.Delay(i * RetryPause, cancellationToken);
                    continue;
                }

                _samples.Enqueue(new(begin, isStore, watch.Elapsed, Succeeded: false, BadConfirmations: 0));
                return null;
            }
        }
    }

    private async Task<List<RetrievedData>?> TryReadAllAsync(Mailbox mailbox, CancellationToken cancellationToken)
    {
        var storage = new StorageClient(new OnionClient(_http), _pool, TimeProvider.System);
        var destination = mailbox.Members[Random.Shared.Next(mailbox.Members.Count)];
        var all = new List<RetrievedData>();
        try
        {
            while (true)
            {
                var page = await storage.RetrieveAsync(
                    OnionPath.Choose(_pool, destination), destination, mailbox.Keys, all.Count > 0 ? Parse(all[^1].Hash) : null, cancellationToken);
                all.AddRange(page.Messages);
                if (!page.More || page.Messages.Count == 0)
                    return all;
            }
        }
        catch (Exception exception) when (IsFailure(exception))
        {
            return null;
        }
    }

    private static string Reason(Exception exception) => exception switch
    {
        SessionClientException { Status: > 0 and var status } => FormattableString.Invariant($"answered {status}"),
        SessionClientException { InnerException: OperationCanceledException } => "no answer in time",
        SessionClientException { InnerException: HttpRequestException } or HttpRequestException => "connection refused or ended",
        _ => "answer can't be read",
    };

    // A damaged answer may also lack what the client looks for in it.
    private static bool IsFailure(Exception exception) =>
        exception is SessionClientException or HttpRequestException or FormatException or KeyNotFoundException or InvalidOperationException;

    private static MessageHash? Parse(string? hash) =>
        hash is not null && MessageHash.TryParse(Encoding.ASCII.GetBytes(hash), out var parsed) ? parsed : null;

    /// <summary>An account with its ledger.</summary>
    private sealed record Mailbox(Ed25519KeyPair Keys, IReadOnlyList<SnodeAddress> Members)
    {
        public ConcurrentDictionary<string, byte[]> Acknowledged { get; } = new();

        public ConcurrentDictionary<string, bool> Polled { get; } = new();

        public string? Last { get; set; }

        private readonly Dictionary<string, RetrievedData> _found = [];
        private int _repeated;

        /// <summary>Takes note of a whole read; null if it failed.</summary>
        public void Add(List<RetrievedData>? messages)
        {
            foreach (var message in messages ?? [])
                _found[message.Hash] = message;
            _repeated = Math.Max(_repeated, messages is null ? 0 : messages.Count - messages.DistinctBy(message => message.Hash).Count());
        }

        /// <summary>What is wrong with what has been found.</summary>
        public TrafficLedger Compare()
        {
            var lost = Acknowledged.Keys.Count(hash => !_found.ContainsKey(hash));
            var corrupted = Acknowledged.Count(stored => _found.TryGetValue(stored.Key, out var message) && !message.Data.Span.SequenceEqual(stored.Value));
            // By content: the same message under another hash is a duplicate too.
            var copies = _found.Values.CountBy(message => Convert.ToHexString(message.Data.Span[..Math.Min(LeastSize, message.Data.Length)])).Sum(message => message.Value - 1);
            return new(lost, copies + _repeated, corrupted);
        }
    }

    private sealed class FrozenTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}

/// <summary>A store or poll with all its attempts.</summary>
/// <param name="Begin">When it began, from the beginning of the traffic.</param>
/// <param name="IsStore">True for a store.</param>
/// <param name="Took">Until its answer or its last failure.</param>
/// <param name="Succeeded">True if it was answered as wished.</param>
/// <param name="BadConfirmations">Swarm members that did not sign the stored message, or wrongly.</param>
internal readonly record struct TrafficSample(TimeSpan Begin, bool IsStore, TimeSpan Took, bool Succeeded, int BadConfirmations);

/// <summary>How the mailboxes at the end differ from what was acknowledged.</summary>
/// <param name="Lost">Acknowledged messages that are not there.</param>
/// <param name="Duplicated">Messages that are there more than once, each time too many.</param>
/// <param name="Corrupted">Messages with other bytes than were stored.</param>
internal sealed record TrafficLedger(int Lost, int Duplicated, int Corrupted);
