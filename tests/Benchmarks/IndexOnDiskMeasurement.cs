using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Session.Orleans.EmbeddedStore;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Storage;
using StackExchange.Redis;
using Embedded = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Benchmarks;

/// <summary>
/// Opening a large mailbox of the embedded store, with its index in memory and after as much else was written as drives it out to disk.
/// Not a BenchmarkDotNet class: filling the store takes longer than what is measured, and the store forgets nothing of it between two readings.
/// </summary>
internal static class IndexOnDiskMeasurement
{
    /// <summary>The first argument that starts this instead of a benchmark.</summary>
    public const string Name = "index-on-disk";

    private const int Readings = 9;
    private const int MemoryMiB = 64;
    private const int Batch = 256;
    private static readonly TimeSpan Life = TimeSpan.FromDays(1);

    /// <summary>Prints the median time of each size.</summary>
    public static async Task RunAsync()
    {
        Console.WriteLine("| messages | in memory ms | on disk ms |");
        Console.WriteLine("|---|---|---|");
        foreach (var messages in new[] { 10_000, 100_000, 500_000 })
        {
            await using var store = Embedded.Start(new EmbeddedStoreOptions { MemoryMiB = MemoryMiB });
            await using var connection = await ConnectionMultiplexer.ConnectAsync(store.Configure());
            var mailboxes = new RedisMailboxStore(connection, TimeProvider.System);
            var account = RandomAccount();
            await FillAsync(mailboxes, account, messages, size: 16);
            var inMemory = await MeasureAsync(mailboxes, account);
            for (var filled = 0; filled < 4 * MemoryMiB; filled++)
                await FillAsync(mailboxes, RandomAccount(), 1024, size: 1024);
            var onDisk = await MeasureAsync(mailboxes, account);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {messages} | {inMemory:F0} | {onDisk:F0} |"));
        }
    }

    private static async Task<double> MeasureAsync(RedisMailboxStore mailboxes, AccountId account)
    {
        var times = new List<double>();
        for (var reading = 0; reading < Readings; reading++)
        {
            var start = Stopwatch.GetTimestamp();
            _ = await mailboxes.LoadAsync(account);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        return times.Order().ElementAt(Readings / 2);
    }

    private static async Task FillAsync(RedisMailboxStore mailboxes, AccountId account, int messages, int size)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var numbers in Enumerable.Range(1, messages).Chunk(Batch))
        {
            await mailboxes.RestoreAsync(account, version: 0, [.. numbers.Select(number =>
            {
                var data = RandomNumberGenerator.GetBytes(size);
                return (new MessageEntry(MessageHash.Compute(account, 0, data), 0, now, now + (long)Life.TotalMilliseconds, size, number), (ReadOnlyMemory<byte>)data);
            })]);
        }
    }

    private static AccountId RandomAccount() => AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length));
}
