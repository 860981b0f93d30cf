using System.Collections.Immutable;
using System.Globalization;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Storage;
using StackExchange.Redis;

namespace Session.Orleans.Testnet.Bench;

/// <summary>
/// Puts messages into a network's store without a request for each: by the code that restores a snapshot, which writes the keys and values that a store request
/// leaves behind.
/// </summary>
internal sealed class StoreFiller : IAsyncDisposable
{
    private const int BatchMessages = 256; // that one step of the store writes
    private const int MailboxesAtOnce = 64;
    private const int TellEvery = 100_000;
    private static readonly TimeSpan StepLimit = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Life = TimeSpan.FromDays(1);

    private readonly IConnectionMultiplexer _connection;
    private readonly RedisMailboxStore _store;

    private StoreFiller(IConnectionMultiplexer connection)
    {
        _connection = connection;
        _store = new(connection, TimeProvider.System);
    }

    /// <summary>Connects to a store.</summary>
    /// <param name="address">Host and port.</param>
    public static async Task<StoreFiller> ConnectAsync(string address)
    {
        var options = ConfigurationOptions.Parse(address);
        // The store has much to do at once, and nobody waits for a single answer.
        options.AsyncTimeout = options.SyncTimeout = (int)StepLimit.TotalMilliseconds;
        return new(await ConnectionMultiplexer.ConnectAsync(options));
    }

    /// <summary>Fills mailboxes of random accounts that nobody has the keys of.</summary>
    /// <param name="mailboxes">How many.</param>
    /// <param name="messages">Messages in each.</param>
    /// <param name="size">Bytes of each message.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task FillAsync(int mailboxes, int messages, int size, CancellationToken cancellationToken)
    {
        var done = 0;
        return Parallel.ForEachAsync(Enumerable.Range(0, mailboxes), Options(cancellationToken), async (i, token) =>
        {
            var key = new byte[Bytes32.Length];
            Random.Shared.NextBytes(key);
            _ = await FillAsync(new AccountId(AccountId.SessionPrefix, new Bytes32(key)), messages, size, token);
            Tell(Interlocked.Increment(ref done));
        });
    }

    /// <summary>Fills mailboxes that can be polled.</summary>
    /// <param name="map">The network.</param>
    /// <param name="mailboxes">How many.</param>
    /// <param name="messages">Messages in each.</param>
    /// <param name="size">Bytes of each message.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<ImmutableArray<BenchMailbox>> FillAsync(NetworkMap map, int mailboxes, int messages, int size, CancellationToken cancellationToken)
    {
        var filled = new BenchMailbox[mailboxes];
        var done = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, mailboxes), Options(cancellationToken), async (i, token) =>
        {
            var keys = Ed25519KeyPair.Generate();
            filled[i] = new(keys, map.SwarmOf(keys.SessionId), await FillAsync(keys.SessionId, messages, size, token));
            Tell(Interlocked.Increment(ref done));
        });
        return [.. filled];
    }

    /// <summary>Fills one mailbox in the first of the network's swarms.</summary>
    /// <param name="map">The network.</param>
    /// <param name="messages">Messages in it.</param>
    /// <param name="size">Bytes of each message.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<BenchMailbox> FillOneAsync(NetworkMap map, int messages, int size, CancellationToken cancellationToken)
    {
        Ed25519KeyPair keys;
        do
            keys = Ed25519KeyPair.Generate();
        while (map.SwarmOf(keys.SessionId) != 0);
        return new(keys, 0, await FillAsync(keys.SessionId, messages, size, cancellationToken));
    }

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    private static ParallelOptions Options(CancellationToken cancellationToken) => new() { MaxDegreeOfParallelism = MailboxesAtOnce, CancellationToken = cancellationToken };

    private static void Tell(int done)
    {
        if (done % TellEvery == 0)
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"filled {done} mailboxes"));
    }

    private async ValueTask<ImmutableArray<MessageHash>> FillAsync(AccountId account, int messages, int size, CancellationToken cancellationToken)
    {
        var hashes = ImmutableArray.CreateBuilder<MessageHash>(messages);
        var batch = new List<(MessageEntry, ReadOnlyMemory<byte>)>(Math.Min(messages, BatchMessages));
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        while (hashes.Count < messages)
        {
            var data = new byte[size];
            Random.Shared.NextBytes(data);
            var hash = MessageHash.Compute(account, 0, data);
            hashes.Add(hash);
            batch.Add((new(hash, 0, now, now + (long)Life.TotalMilliseconds, size, hashes.Count), data));
            if (batch.Count < BatchMessages && hashes.Count < messages)
                continue;
            try
            {
                await _store.RestoreAsync(account, version: 0, batch, cancellationToken);
            }
            catch (MailboxStoreException exception)
            {
                throw new CommandException(ExitCodes.Failed, exception.Message);
            }

            batch.Clear();
        }

        return hashes.MoveToImmutable();
    }
}
