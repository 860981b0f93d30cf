using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Session.Orleans.Cluster.Tests;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Storage;
using Session.Orleans.Storage.Communities;
using StackExchange.Redis;

// One after another: a silo that gets no processor time looks dead to the others.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
[assembly: AssemblyFixture(typeof(TestCluster))]

namespace Session.Orleans.Cluster.Tests;

/// <summary>Three hosts on one store. Every test has accounts of its own and leaves the cluster as it found it.</summary>
public sealed class TestCluster : IAsyncLifetime
{
    private readonly List<TestSilo> _silos = [];
    private readonly List<TestClient> _clients = [];
    private readonly FakeTimeProvider _settling = new();
    private EmbeddedStore.EmbeddedStore? _embedded;
    private ConnectionMultiplexer? _connection;

    internal IReadOnlyList<TestSilo> Silos => _silos;

    /// <summary>One client per silo, which enters the network through that silo's gateway.</summary>
    internal IReadOnlyList<TestClient> Clients => _clients;

    internal TestClock Clock { get; } = new();

    /// <summary>The store as the silos use it.</summary>
    internal TestStore Store { get; } = new();

    /// <summary>A second way to the same store, past the mailboxes.</summary>
    internal IMailboxStore BehindTheirBack { get; private set; } = null!;

    /// <summary>Names of all calls of the silos to the store of communities.</summary>
    internal ConcurrentQueue<string> CommunityCalls { get; } = new();

    /// <summary>A second way to the store of communities, past rooms and counter.</summary>
    internal ICommunityStore CommunitiesBehindTheirBack { get; private set; } = null!;

    internal TestClient AnyClient => _clients[Random.Shared.Next(_clients.Count)];

    public async ValueTask InitializeAsync()
    {
        _embedded = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        _connection = await ConnectionMultiplexer.ConnectAsync(_embedded.ConnectionString);
        CommunitiesBehindTheirBack = new RedisCommunityStore(_connection);
        BehindTheirBack = new RedisMailboxStore(_connection, Clock);
        for (var i = 0; i < 3; i++)
            _silos.Add(await TestSilo.StartAsync("shared", _embedded.ConnectionString, Configure));
        await UntilAllSeeAsync(_silos, _silos.Count);
        SettleDown();
        foreach (var silo in _silos)
            _clients.Add(await TestClient.CreateAsync(silo.Seed, Clock));
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        await Task.WhenAll(_silos.Select(silo => silo.StopAsync()));
        foreach (var silo in _silos)
            await silo.DisposeAsync();
        if (_connection is not null)
            await _connection.DisposeAsync();
        if (_embedded is not null)
            await _embedded.DisposeAsync();
    }

    /// <summary>Waits until each silo knows <paramref name="count"/> active ones.</summary>
    internal static async Task UntilAllSeeAsync(IEnumerable<TestSilo> silos, int count)
    {
        foreach (var oracle in silos.Select(silo => silo.Services.GetRequiredService<ISiloStatusOracle>()))
        {
            await Wait.UntilAsync(
                () => oracle.GetApproximateSiloStatuses(onlyActive: true).Count == count, $"{oracle.SiloAddress} sees {count} silos");
        }
    }

    /// <summary>Makes every silo believe that another one has just left, as when a mailbox may have two activations.</summary>
    internal void Unsettle()
    {
        foreach (var silo in _silos)
        {
            var other = _silos.First(candidate => candidate != silo);
            silo.Services.GetRequiredService<ClusterChanges>().SiloStatusChangeNotification(other.Address, SiloStatus.Dead);
        }
    }

    /// <summary>Lets the time pass after which mailboxes trust their memory again.</summary>
    internal void SettleDown()
    {
        _settling.Advance(TimeSpan.FromMinutes(5));
        Assert.DoesNotContain(_silos, silo => silo.Services.GetRequiredService<ClusterChanges>().AreRecent);
    }

    internal IMailboxGrain Mailbox(AccountId account) =>
        _silos[Random.Shared.Next(_silos.Count)].Grains.GetGrain<IMailboxGrain>(account.ToString());

    /// <summary>Where the grains of a type live.</summary>
    internal async Task<Dictionary<string, SiloAddress>> PlacesOfAsync(string grainType)
    {
        var statistics = await _silos[0].Grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics();
        return statistics.Where(one => one.GrainId.Type.ToString() == grainType)
            .GroupBy(one => one.GrainId.Key.ToString()!).ToDictionary(group => group.Key, group => group.First().SiloAddress);
    }

    private void Configure(WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<TimeProvider>(Clock);
        services.AddSingleton(provider => new ClusterChanges(provider.GetRequiredService<ISiloStatusOracle>(), _settling));
        services.AddSingleton(provider => Store.Wrap(
            new RedisMailboxStore(provider.GetRequiredService<IConnectionMultiplexer>(), Clock)));
        services.AddSingleton(provider => CountedCalls.Before<ICommunityStore>(
            new RedisCommunityStore(provider.GetRequiredService<IConnectionMultiplexer>()), CommunityCalls.Enqueue));
    }
}
