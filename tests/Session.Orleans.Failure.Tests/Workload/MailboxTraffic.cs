using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Session.Orleans.Client;
using Session.Orleans.Failure.Tests.History;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Failure.Tests.Workload;

/// <summary>
/// Many mailboxes, each with two senders and a reader that goes on from the last message it has, for as long as something goes wrong in the
/// network; and everything they saw.
/// </summary>
internal sealed class MailboxTraffic : IAsyncDisposable
{
    private const int SendersPerMailbox = 2;

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(300);
    // Enough to meet every moment of a failure; in the short run other tests share the machine.
    private static readonly TimeSpan SendPause = TimeSpan.FromMilliseconds(FailureCluster.IsLong ? 30 : 150);
    private static readonly TimeSpan PollPause = TimeSpan.FromMilliseconds(200);

    // Something is wrong with the network for good if a message can't be stored for so long.
    private static readonly TimeSpan OperationLimit = TimeSpan.FromSeconds(120);

    private readonly NetworkClient[] _clients;
    private readonly Mailbox[] _mailboxes;
    private readonly ConcurrentQueue<StoreOperation> _stores = new();
    private readonly ConcurrentQueue<FailedAttempt> _failures = new();
    private readonly CancellationTokenSource _stop = new();
    private long _longest;
    private long _polls;
    private Task _running = Task.CompletedTask;

    private MailboxTraffic(NetworkClient[] clients, Mailbox[] mailboxes) => (_clients, _mailboxes) = (clients, mailboxes);

    /// <summary>Messages that were acknowledged so far.</summary>
    public int Acknowledged => _stores.Count(store => store.Outcome is StoreOutcome.Acknowledged);

    /// <summary>Polls that were answered so far.</summary>
    public long Polls => Interlocked.Read(ref _polls);

    /// <summary>Attempts that failed so far.</summary>
    public IReadOnlyCollection<FailedAttempt> Failures => _failures;

    /// <summary>The longest time from the first attempt of an operation to its success.</summary>
    public TimeSpan Longest => TimeSpan.FromTicks(Interlocked.Read(ref _longest));

    /// <summary>Begins, and returns when every mailbox has taken some messages.</summary>
    public static async Task<MailboxTraffic> StartAsync(Uri seed, int mailboxes)
    {
        // Several, because each keeps its own connections, and those end up at different gateways.
        var clients = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => NetworkClient.CreateAsync(seed)));
        var accounts = Enumerable.Range(0, mailboxes).Select(_ => Ed25519KeyPair.Generate());
        var traffic = new MailboxTraffic(clients, await Task.WhenAll(accounts.Select(async keys => new Mailbox(keys, await clients[0].GetSwarmAsync(keys.SessionId)))));
        traffic._running = Task.WhenAll(traffic._mailboxes.SelectMany(mailbox => Enumerable.Range(0, SendersPerMailbox)
            .Select(sender => traffic.SendAsync(mailbox, sender)).Append(traffic.ReadAsync(mailbox))));
        await traffic.UntilAllMailboxesWorkAsync();
        return traffic;
    }

    /// <summary>Returns when every mailbox has acknowledged a message that was begun after this call, and its reader has polled.</summary>
    public async Task UntilAllMailboxesWorkAsync()
    {
        var now = Stopwatch.GetTimestamp();
        using var limit = new CancellationTokenSource(OperationLimit);
        while (!_mailboxes.All(mailbox => Volatile.Read(ref mailbox.LastStored) > now && Volatile.Read(ref mailbox.LastRead) > now))
        {
            if (_running.IsFaulted)
                await _running;
            await Task.Delay(50, limit.Token);
        }
    }

    /// <summary>Ends the traffic, lets the readers catch up, and judges.</summary>
    public async Task<IReadOnlyList<Violation>> JudgeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(OperationLimit * 2);
        foreach (var mailbox in _mailboxes)
            await ReadPagesAsync(mailbox);
        var final = new List<Reading>();
        foreach (var mailbox in _mailboxes)
        {
            var afresh = new Mailbox(mailbox.Keys, mailbox.Swarm);
            await ReadPagesAsync(afresh);
            final.Add(new(mailbox.Name, afresh.Read));
        }

        return HistoryChecker.Judge(_stores, _mailboxes.Select(mailbox => new Reading(mailbox.Name, mailbox.Read)), final);
    }

    /// <summary>One line of figures.</summary>
    public string Summary() => string.Create(CultureInfo.InvariantCulture,
        $"{Acknowledged} messages, {Polls} polls, longest operation {Longest.TotalSeconds:0.0} s, failed attempts: {(_failures.IsEmpty ? "none" : string.Join("; ", _failures.CountBy(failure => failure.Kind).Select(pair => $"{pair.Value} x {pair.Key}")))}");

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ContinueWith(static _ => { }, TaskScheduler.Default); // a test that failed before has said why
        foreach (var client in _clients)
            client.Dispose();
        _stop.Dispose();
    }

    private async Task SendAsync(Mailbox mailbox, int sender)
    {
        for (var number = 0; !_stop.IsCancellationRequested; number++)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"message {number} of sender {sender}");
            var request = NetworkClient.Message(mailbox.Keys.SessionId, text);
            var start = Stopwatch.GetTimestamp();
            var stored = await RetryAsync("store", client => client.StoreAsync(mailbox.Swarm, request));
            _stores.Enqueue(new(mailbox.Name, text, start, Stopwatch.GetTimestamp(), stored ? StoreOutcome.Acknowledged : StoreOutcome.Unknown));
            Assert.True(stored, $"'{text}' could not be stored within {OperationLimit.TotalSeconds} s: {_failures.LastOrDefault()}");
            Volatile.Write(ref mailbox.LastStored, start);
            await Task.Delay(SendPause, CancellationToken.None);
        }
    }

    private async Task ReadAsync(Mailbox mailbox)
    {
        while (!_stop.IsCancellationRequested)
        {
            var start = Stopwatch.GetTimestamp();
            await ReadPagesAsync(mailbox);
            Volatile.Write(ref mailbox.LastRead, start);
            await Task.Delay(PollPause, CancellationToken.None);
        }
    }

    private async Task ReadPagesAsync(Mailbox mailbox)
    {
        var more = true;
        while (more)
        {
            var read = await RetryAsync("retrieve", async client =>
            {
                (var messages, more) = await client.RetrieveAsync(mailbox.Swarm, mailbox.Keys, mailbox.Last);
                foreach (var (text, hash) in messages)
                {
                    mailbox.Read.Add(text);
                    mailbox.Last = hash;
                }
            });
            Assert.True(read, $"A mailbox could not be read within {OperationLimit.TotalSeconds} s: {_failures.LastOrDefault()}");
            Interlocked.Increment(ref _polls);
        }
    }

    /// <summary>Tries until it succeeds, as clients do, every time on another path.</summary>
    private async Task<bool> RetryAsync(string what, Func<NetworkClient, Task> attempt)
    {
        var start = Stopwatch.GetTimestamp();
        do
        {
            try
            {
                await attempt(_clients[Random.Shared.Next(_clients.Length)]);
                var took = Stopwatch.GetElapsedTime(start).Ticks;
                for (var longest = Interlocked.Read(ref _longest); took > longest; longest = Interlocked.Read(ref _longest))
                    _ = Interlocked.CompareExchange(ref _longest, took, longest);
                return true;
            }
            catch (SessionClientException exception)
            {
                _failures.Enqueue(new(what, exception, Stopwatch.GetTimestamp()));
            }

            await Task.Delay(RetryPause, CancellationToken.None);
        }
        while (Stopwatch.GetElapsedTime(start) < OperationLimit);
        return false;
    }

    private sealed class Mailbox(Ed25519KeyPair keys, SwarmInfo swarm)
    {
        public long LastStored;
        public long LastRead;

        public Ed25519KeyPair Keys { get; } = keys;

        public SwarmInfo Swarm { get; } = swarm;

        public string Name { get; } = keys.SessionId.ToString();

        /// <summary>What its reader got, in order.</summary>
        public List<string> Read { get; } = [];

        public MessageHash? Last { get; set; }
    }
}

/// <summary>An attempt that did not do what it should.</summary>
/// <param name="What">What was tried.</param>
/// <param name="Exception">What came instead.</param>
/// <param name="At">When, by the stopwatch.</param>
internal sealed record FailedAttempt(string What, SessionClientException Exception, long At)
{
    /// <summary>True if nothing came within the time that clients wait.</summary>
    public bool IsUnanswered => Exception is { Status: 0, InnerException: OperationCanceledException };

    public override string ToString() => $"{At / (double)Stopwatch.Frequency:0.00} s {What}: {Exception.Message}";

    /// <summary>The kind of failure, without addresses.</summary>
    public string Kind => Exception switch
    {
        { Status: 200 } => $"{What}: not confirmed",
        { Status: not 0 } => $"{What}: {Exception.Message[..Math.Min(Exception.Message.Length, 90)]}",
        { InnerException: HttpRequestException inner } => $"{What}: {inner.HttpRequestError}",
        { InnerException: OperationCanceledException } => $"{What}: no answer",
        _ => $"{What}: {Exception.Message}",
    };
}
