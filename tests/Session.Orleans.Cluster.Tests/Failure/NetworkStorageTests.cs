using Microsoft.Extensions.DependencyInjection;
using Orleans.Storage;
using Session.Orleans.Chain.Snapshots;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Cluster.Tests.Failure;

/// <summary>What the network grain does when its own state can't be written.</summary>
public sealed class NetworkStorageTests
{
    private static readonly NetworkPlan Plan = new(
        TestSilo.Nodes, TestSilo.SwarmSize, TestSilo.BlockTime, new NetworkOptions().HardForkMajor, new NetworkOptions().HardForkRevision);

    [Theory]
    [InlineData(StoreFault.Refuse)]
    [InlineData(StoreFault.LoseReply)]
    public async Task FailedWrite_LeavesNoBlockThatTheStoreDoesNotHold(StoreFault fault)
    {
        await using var store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        var storage = new Storage();
        await using var silo = await TestSilo.StartAsync($"write-{fault}", store.ConnectionString, builder =>
            builder.Services.AddKeyedSingleton<IGrainStorage>("network", storage));
        var network = silo.Grains.GetGrain<INetworkGrain>(new NetworkOptions().Name);
        var start = silo.View.Height;
        await Wait.UntilAsync(() => silo.View.Height > start, "the first block");

        storage.Fault = fault;
        await Wait.UntilAsync(() => storage.Failures >= 1, "a write fails");
        await Wait.UntilAsync(
            async () =>
            {
                // The grain's answer lies between two looks at the store: the store may move on, but never the grain alone.
                var before = storage.Height;
                var height = (await network.ConfigureAsync(Plan)).Height;
                Assert.InRange(height, before, storage.Height);
                return storage.Failures >= 3;
            },
            "further writes fail");
        storage.Fault = null;

        var stopped = storage.Height;
        await Wait.UntilAsync(
            async () => (await network.ConfigureAsync(Plan)).Height > stopped + 2 && silo.View.Height > stopped + 2, "blocks go on");
        Assert.InRange(silo.View.Height, stopped + 3, storage.Height);
        await silo.StopAsync();
    }

    [Fact]
    public async Task AnotherWriter_IsNoticedAndTakenOver()
    {
        await using var store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        var storage = new Storage();
        await using var silo = await TestSilo.StartAsync("writer", store.ConnectionString, builder =>
            builder.Services.AddKeyedSingleton<IGrainStorage>("network", storage));
        var network = silo.Grains.GetGrain<INetworkGrain>(new NetworkOptions().Name);
        storage.WriteAsAnother(state =>
        {
            var chain = ChainSnapshot.FromJson(state.Chain);
            state.Chain = (chain with { Height = chain.Height + 100 }).ToJson();
            state.Height += 100;
            state.Version += 100;
        });
        var height = storage.Height;
        await Wait.UntilAsync(
            async () => (await network.ConfigureAsync(Plan)).Height > height && silo.View.Height > height, "the chain goes on from the other's block");
        await silo.StopAsync();
    }

    /// <summary>Grain storage with the version check that Redis has.</summary>
    private sealed class Storage : IGrainStorage, ILifecycleParticipant<ISiloLifecycle>
    {
        private readonly Lock _lock = new();
        private NetworkGrainState? _stored;
        private int _version;
        private int _failures;

        public StoreFault? Fault { get; set; }

        public int Failures => Volatile.Read(ref _failures);

        public long Height
        {
            get
            {
                lock (_lock)
                    return _stored!.Height;
            }
        }

        public void WriteAsAnother(Action<NetworkGrainState> change)
        {
            lock (_lock)
            {
                _stored = Copy(_stored!);
                change(_stored);
                _version++;
            }
        }

        public void Participate(ISiloLifecycle lifecycle)
        {
            // It takes the place of a storage that has to be started.
        }

        public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
        {
            lock (_lock)
            {
                if (_stored is null)
                    return Task.CompletedTask;
                grainState.State = (T)(object)Copy(_stored);
                grainState.ETag = Tag;
                grainState.RecordExists = true;
            }

            return Task.CompletedTask;
        }

        public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
        {
            lock (_lock)
            {
                if (Fault is StoreFault.Refuse)
                    throw Failed();
                if (_stored is not null && grainState.ETag != Tag)
                    throw new InconsistentStateException("changed", Tag, grainState.ETag);
                _stored = Copy((NetworkGrainState)(object)grainState.State!);
                _version++;
                if (Fault is StoreFault.LoseReply)
                    throw Failed();
                grainState.ETag = Tag;
                grainState.RecordExists = true;
            }

            return Task.CompletedTask;
        }

        public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState) => throw new NotSupportedException();

        private string Tag => _version.ToString(System.Globalization.CultureInfo.InvariantCulture);

        private TimeoutException Failed()
        {
            _failures++;
            return new("no reply");
        }

        private static NetworkGrainState Copy(NetworkGrainState state) => new()
        {
            SecretFingerprint = state.SecretFingerprint, Version = state.Version, TableVersion = state.TableVersion, Height = state.Height,
            Plan = state.Plan, Nodes = state.Nodes, Faults = state.Faults, LastFault = state.LastFault, Lagging = state.Lagging,
            Chain = state.Chain, IsPaused = state.IsPaused,
        };
    }
}
