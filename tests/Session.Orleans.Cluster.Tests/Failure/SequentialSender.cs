using System.Collections.Concurrent;
using System.Diagnostics;
using Session.Orleans.Client;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Cluster.Tests.Failure;

/// <summary>
/// Sends numbered messages to an account of its own, the next one only when the last one is acknowledged, and tries each again until it is.
/// </summary>
internal sealed class SequentialSender(IReadOnlyList<TestClient> clients)
{
    private readonly ConcurrentQueue<SessionClientException> _failures = new();
    private int _acknowledged;
    private long _lastStart;

    public Ed25519KeyPair Account { get; } = Ed25519KeyPair.Generate();

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    /// <summary>When the latest acknowledged attempt began, by the stopwatch.</summary>
    public long LastStart => Volatile.Read(ref _lastStart);

    /// <summary>Attempts that failed.</summary>
    public IReadOnlyCollection<SessionClientException> Failures => _failures;

    public async Task RunAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var text = $"message {_acknowledged}";
            while (true)
            {
                var start = Stopwatch.GetTimestamp();
                try
                {
                    await clients[Random.Shared.Next(clients.Count)].StoreAsync(Account.SessionId, text, CancellationToken.None);
                    Volatile.Write(ref _lastStart, start);
                    break;
                }
                catch (SessionClientException exception)
                {
                    _failures.Enqueue(exception);
                }
            }

            Interlocked.Increment(ref _acknowledged);
        }
    }

    /// <summary>Each message is there once, and in the order in which they were sent.</summary>
    public async Task AssertNothingLostAsync(TestClient client) =>
        Assert.Equal(Enumerable.Range(0, Acknowledged).Select(i => $"message {i}"), await client.RetrieveAllAsync(Account));
}
