using System.Collections.Immutable;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Runtime.MembershipService.SiloMetadata;
using Session.Orleans.ConsolePage.Watch;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Protocol.Swarms;
using Session.Orleans.Storage;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>
/// Collects what all open pages of this process show, once for all of them, and only while there is one. A change of the network is shown at once,
/// the silos are asked every two seconds, and mailboxes are counted seldom enough that counting is never more than a four-hundredth of the time.
/// </summary>
internal sealed partial class ConsoleFeed(
    NetworkViewSource views, SiloWatchClient watches, IClusterMembershipService membership, ISiloMetadataCache metadata, ILocalSiloDetails self,
    MailboxCensus census, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<ConsoleFeed> logger)
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ReadingInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ShortestCensusInterval = TimeSpan.FromSeconds(10);
    private const int CensusRest = 400; // times as long as counting took

    private readonly Lock _lock = new();
    private readonly TrafficMeter _traffic = new();
    private readonly TraceBook _traces = new();
    private ImmutableArray<Action> _listeners = [];
    private bool _runs;
    private volatile ConsoleState _current = ConsoleState.Empty;
    private volatile MailboxFigures? _mailboxes;

    /// <summary>The newest state.</summary>
    public ConsoleState Current => _current;

    /// <summary>Calls <paramref name="onChange"/>, from any thread, whenever there is a newer state, until the result is disposed.</summary>
    public IDisposable Subscribe(Action onChange)
    {
        lock (_lock)
        {
            _listeners = _listeners.Add(onChange);
            if (!_runs)
            {
                _runs = true;
                _ = Task.Run(RunAsync);
            }
        }

        return new Subscription(this, onChange);
    }

    private void Unsubscribe(Action onChange)
    {
        lock (_lock)
            _listeners = _listeners.Remove(onChange);
    }

    private async Task RunAsync()
    {
        _traffic.Reset();
        var (nextReading, nextCensus) = (time.GetTimestamp(), time.GetTimestamp());
        Task<TimeSpan>? counting = null;
        using var timer = new PeriodicTimer(Tick, time);
        while (HasListeners())
        {
            try
            {
                var now = time.GetTimestamp();
                if (counting is { IsCompleted: true })
                {
                    nextCensus = now + Ticks(TimeSpan.FromTicks(Math.Max(ShortestCensusInterval.Ticks, (await counting).Ticks * CensusRest)));
                    counting = null;
                }

                if (counting is null && now >= nextCensus && views.Current is { } view)
                    counting = CountMailboxesAsync(view);
                if (now >= nextReading)
                {
                    nextReading = now + Ticks(ReadingInterval);
                    Publish(await ReadAsync());
                }
                else if (!ReferenceEquals(views.Current, _current.View))
                {
                    Publish(_current with { View = views.Current });
                }
            }
            catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
            {
                counting = null; // the loop ends
            }
            catch (Exception exception)
            {
                // The page shows what it had; the next reading may succeed.
                LogFailed(exception);
                counting = counting is { IsCompleted: true } ? null : counting;
                nextCensus = time.GetTimestamp() + Ticks(ShortestCensusInterval);
            }

            await timer.WaitForNextTickAsync();
        }

        bool HasListeners()
        {
            lock (_lock)
                return _runs = !_listeners.IsEmpty && !lifetime.ApplicationStopping.IsCancellationRequested;
        }

        long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);
    }

    private void Publish(ConsoleState state)
    {
        _current = state;
        foreach (var listener in _listeners)
            listener();
    }

    private async Task<ConsoleState> ReadAsync()
    {
        var members = membership.CurrentSnapshot.Members.Values.Where(member => member.Status is not SiloStatus.Dead).ToArray();
        var answers = await Task.WhenAll(members.Where(member => member.Status is SiloStatus.Active).Select(async member =>
            (member.SiloAddress, Reading: await AskAsync(member.SiloAddress))));
        var readings = answers.Where(answer => answer.Reading is not null).ToDictionary(answer => answer.SiloAddress, answer => answer.Reading!);
        _traffic.Add(readings);
        _traces.Add(readings.Values.SelectMany(reading => reading.Spans));

        var newest = readings.Values.Select(reading => reading.ViewVersion).DefaultIfEmpty().Max();
        var silos = members.Select(member => new SiloState(
            member.Name, RoleOf(member.SiloAddress), Lower(member.Status.ToString()), member.SiloAddress.Equals(self.SiloAddress),
            readings.GetValueOrDefault(member.SiloAddress) is { } reading
                ? new(reading.Started, _traffic.Silos[member.SiloAddress].CpuShare, reading.MemoryBytes, reading.Activations,
                    _traffic.Silos[member.SiloAddress].PerSecond, reading.ViewVersion == newest)
                : null));
        return new(
            views.Current, _traffic.Traffic, _traffic.Doors, _mailboxes, [.. silos.OrderBy(silo => silo.Name, StringComparer.Ordinal)], _traces.Requests,
            time.GetUtcNow());
    }

    private async Task<SiloReading?> AskAsync(SiloAddress silo)
    {
        try
        {
            var last = _traffic.LastOf(silo);
            return await watches.Of(silo).ReadAsync(last?.Epoch ?? 0, last?.LastSpan ?? 0);
        }
        catch (Exception exception) when (exception is TimeoutException or OrleansException)
        {
            LogSilent(exception, silo); // one that was killed a moment ago, or that starts; the page says so
            return null;
        }
    }

    private async Task<TimeSpan> CountMailboxesAsync(NetworkView view)
    {
        var start = time.GetTimestamp();
        var bySwarm = await census.CountByAsync(account => view.SwarmOf(account)?.Id ?? SwarmId.Unassigned, lifetime.ApplicationStopping);
        // What has not changed stays the same object, so that nobody draws it anew.
        var held = _mailboxes?.BySwarm is { } before && before.Count == bySwarm.Count && bySwarm.All(before.Contains) ? before : bySwarm.ToImmutableDictionary();
        _mailboxes = new(new(held.Values.Sum(count => count.Mailboxes), held.Values.Sum(count => count.Messages)), held, time.GetUtcNow());
        return time.GetElapsedTime(start);
    }

    private string RoleOf(SiloAddress silo) =>
        metadata.GetSiloMetadata(silo).Metadata.TryGetValue(SiloRoles.MetadataKey, out var role) ? Lower(role) : "";

    private static string Lower(string name) => name.Length == 0 ? name : char.ToLowerInvariant(name[0]) + name[1..];

    [LoggerMessage(EventId = 3201, Level = LogLevel.Debug, Message = "Silo {Silo} did not tell its figures")]
    private partial void LogSilent(Exception exception, SiloAddress silo);

    [LoggerMessage(EventId = 3202, Level = LogLevel.Error, Message = "The console could not collect what it shows")]
    private partial void LogFailed(Exception exception);

    private sealed class Subscription(ConsoleFeed feed, Action onChange) : IDisposable
    {
        public void Dispose() => feed.Unsubscribe(onChange);
    }
}
