using System.Diagnostics;
using System.Diagnostics.Metrics;
using Session.Orleans.ConsolePage.Watch;
using Session.Orleans.Gateway;

namespace Session.Orleans.ConsolePage.Tests;

/// <summary>What a silo counts while a page is open.</summary>
public sealed class SiloTapTests
{
    [Fact]
    public void Requests_CountByDoor_WhileTheTapLives()
    {
        using var meter = new Meter(GatewayTelemetry.SourceName);
        var requests = meter.CreateHistogram<double>(GatewayTelemetry.RequestDuration);
        Assert.False(requests.Enabled);
        using (var tap = new SiloTap(TimeProvider.System))
        {
            Assert.True(requests.Enabled);
            foreach (var (door, status) in ((string, string)[])[("node", "200"), ("node", "421"), ("omq", "200"), ("omq", "504"), ("files", "5xx"), ("community", "none"), ("other", "200")])
                requests.Record(0.001, new(GatewayTelemetry.Door, door), new(GatewayTelemetry.Route, "/"), new(GatewayTelemetry.HttpStatus, status));

            var doors = tap.ReadDoors();
            Assert.Equal(["node", "omq", "seed", "files", "community"], doors.Select(door => door.Door));
            Assert.Equal([2L, 2, 0, 1, 1], doors.Select(door => door.Buckets.Sum()));
            Assert.Equal([0L, 1, 0, 1, 0], doors.Select(door => door.Failed));
            Assert.Equal(2, doors[0].Buckets[LatencyBuckets.IndexOf(0.001)]);
        }

        Assert.False(requests.Enabled);
    }

    [Fact]
    public void Refusals_AreAddedUp()
    {
        using var meter = new Meter(GatewayTelemetry.SourceName);
        _ = meter.CreateObservableCounter(GatewayTelemetry.Refused, () => (Measurement<long>[])[new(3), new(4)]);
        using var tap = new SiloTap(TimeProvider.System);
        Assert.Equal(7, tap.Observe().Refused);
        Assert.Equal(7, tap.Observe().Refused);
    }

    [Fact]
    public void Traces_AreMadeOfABurst_AndThenOfAFewPerSecond()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        using var gateway = new ActivitySource(GatewayTelemetry.SourceName);
        using var tap = new SiloTap(time);
        Assert.Equal(SiloTap.TraceBurst, Made(SiloTap.TraceBurst * 2));
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(2 * SiloTap.TracesPerSecond, Made(SiloTap.TraceBurst * 2));
        time.Advance(TimeSpan.FromSeconds(0.9 / SiloTap.TracesPerSecond));
        Assert.Equal(0, Made(5));
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(SiloTap.TraceBurst, Made(SiloTap.TraceBurst * 2));
        Assert.Equal(2 * SiloTap.TraceBurst + 2 * SiloTap.TracesPerSecond, tap.LastSpan);

        int Made(int requests) => Enumerable.Range(0, requests).Count(_ =>
        {
            using var activity = gateway.StartActivity("door", ActivityKind.Server);
            Assert.False(activity is { Recorded: true });
            return activity is not null;
        });
    }
}
