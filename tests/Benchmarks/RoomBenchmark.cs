using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Core.Internal;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Silo;
using Session.Orleans.Storage.Communities;
using StackExchange.Redis;
using Embedded = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Benchmarks;

/// <summary>
/// A room of the community server with a thousand messages and with a hundred thousand: opening it, posting, polling when there is nothing new, and 5,000 such polls
/// at once. All must cost the same in both. The store is the embedded one, through the silo as it runs.
/// </summary>
[Config(typeof(ShortRunInProcess))]
public class RoomBenchmark
{
    private const int Pollers = 5000;

    private static readonly CommunityCaller Poster = new("15" + new string('a', 64), true, true);
    private static readonly CommunityCaller[] Users =
        [.. Enumerable.Range(0, Pollers).Select(i => new CommunityCaller("15" + i.ToString("x64", CultureInfo.InvariantCulture), false, false))];

    private readonly byte[] _data = RandomNumberGenerator.GetBytes(500);
    private Embedded _store = null!;
    private WebApplication _app = null!;
    private IRoomGrain _room = null!;

    /// <summary>Messages in the room.</summary>
    [Params(1000, 100_000)]
    public int Messages { get; set; }

    /// <summary>Starts a silo and fills a room.</summary>
    [GlobalSetup]
    public void Setup() => SetupAsync().GetAwaiter().GetResult();

    /// <summary>Stops the silo.</summary>
    [GlobalCleanup]
    public void Cleanup() => CleanupAsync().GetAwaiter().GetResult();

    /// <summary>The first reading of a room that no silo has in memory: its newest 100 messages.</summary>
    [Benchmark]
    public async Task Open()
    {
        await _room.Cast<IGrainManagementExtension>().DeactivateOnIdle();
        Require(await _room.GetMessagesAsync(Poster, new(MessageRange.Recent, 0, 100, 4, true)));
    }

    /// <summary>A post, confirmed by the store.</summary>
    [Benchmark]
    public async Task Post()
    {
        Require(await _room.PostAsync(Poster, new(_data, new byte[64], [])));
    }

    /// <summary>A poll that finds nothing new.</summary>
    [Benchmark]
    public async Task Poll() => Require(await _room.GetMessagesAsync(Users[0], new(MessageRange.Since, long.MaxValue, 100, 4, true)));

    /// <summary>The same for everybody in a busy room at once.</summary>
    [Benchmark(OperationsPerInvoke = Pollers)]
    public async Task PollByEverybody() => await Task.WhenAll(Users.Select(async user =>
        Require(await _room.GetMessagesAsync(user, new(MessageRange.Since, long.MaxValue, 100, 4, true)))));

    private async Task SetupAsync()
    {
        _store = Embedded.Start();
        _app = await SiloHost.BuildAsync(new Dictionary<string, string?>
        {
            ["Network:Secret"] = "the secret of the benchmarks",
            ["Network:Nodes"] = "8",
            ["Gateway:NodePorts"] = "0",
            ["Gateway:SeedPort"] = "0",
            ["Gateway:AdminPort"] = "0",
            ["Gateway:OmqEnabled"] = "false",
            ["Files:Enabled"] = "false",
            ["Silo:Port"] = "22910",
            ["Logging:LogLevel:Default"] = "None",
        }, store: _store.Configure());
        await _app.StartAsync();
        var grains = _app.Services.GetRequiredService<IGrainFactory>();
        var token = $"room{Messages}";
        await grains.GetGrain<ICommunityGrain>("testnet").CreateRoomAsync(token, token, null);
        _room = grains.GetGrain<IRoomGrain>(token);
        foreach (var chunk in Enumerable.Range(0, Messages).Chunk(200))
            await Task.WhenAll(chunk.Select(_ => Post()));
        var store = new RedisCommunityStore(_app.Services.GetRequiredService<IConnectionMultiplexer>());
        if (await store.CountAsync(CommunityScope.Room(token), "live", 0) != Messages)
            throw new InvalidOperationException("The room is not filled.");
    }

    private async Task CleanupAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _store.DisposeAsync();
    }

    private static void Require(CommunityReply reply)
    {
        if (!reply.IsSuccess)
            throw new InvalidOperationException($"{reply.Status}: {Encoding.UTF8.GetString(reply.Body.Span)}");
    }
}
