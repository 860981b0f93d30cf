using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Core.Internal;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Cluster.Tests.Communities;

/// <summary>Rooms as grains on several silos: nothing is lost, whoever dies and whoever else writes.</summary>
public sealed class RoomTests(TestCluster cluster)
{
    private static readonly CommunityCaller Admin = new(User(0), true, true);

    [Fact]
    public async Task History_IsReadWhole_FromMemoryAndStore_AndAfterANewStart()
    {
        const int Posts = 950; // more than an activation keeps
        var room = await CreateAsync();
        for (var i = 0; i < Posts; i++)
            await PostAsync(room, $"{i}");
        (await room.DeleteAsync(Admin, (await PageAsync(room, new(MessageRange.Recent, 0, 1, 0, false)))[0].GetProperty("id").GetInt64())).Require();
        var edited = (await PageAsync(room, new(MessageRange.Since, 9, 1, 0, false)))[0].GetProperty("id").GetInt64();
        (await room.EditAsync(Admin, edited, new("edited"u8.ToArray(), new byte[64], []))).Require();
        (await room.ReactAsync(Admin, edited, "x", add: true)).Require();

        for (var round = 0; round < 2; round++)
        {
            // 10 has moved to the end; the last one is gone, and a reader from the start never hears of it.
            var texts = await SinceAsync(room, 0);
            Assert.Equal([.. Enumerable.Range(0, Posts - 1).Where(i => i != 9).Select(i => $"{i}"), "edited"], texts);
            List<string> backwards = [];
            for (var before = long.MaxValue; await PageAsync(room, new(MessageRange.Before, before, 256, 0, false)) is { Length: > 0 } page;)
            {
                backwards.AddRange(page.Select(TextOf));
                before = page[^1].GetProperty("id").GetInt64();
            }

            Assert.Equal([.. Enumerable.Range(0, Posts - 1).Select(i => i == 9 ? "edited" : $"{i}").Reverse()], backwards);
            Assert.Equal("{\"x\":{\"index\":0,\"count\":1,\"you\":true}}", JsonElement.Parse((await room.GetMessageAsync(Admin, edited, 0)).Body.Span).GetProperty("reactions").GetRawText());
            await room.Cast<IGrainManagementExtension>().DeactivateOnIdle();
        }
    }

    /// <summary>Before files were blobs, their bytes were tables of a scope of their own, in pieces of 256 KiB.</summary>
    [Fact]
    public async Task FileOfAnOlderVersion_IsReadAsBefore()
    {
        var room = await CreateAsync();
        var token = room.GetPrimaryKeyString();
        var store = cluster.CommunitiesBehindTheirBack;
        var id = await store.NextAsync("file", TestContext.Current.CancellationToken);
        var bytes = new byte[300_000];
        new Random(3).NextBytes(bytes);
        var pieces = new CommunityChanges().Set("bytes", "0", bytes.AsMemory(0, 256 * 1024)).Set("bytes", "1", bytes.AsMemory(256 * 1024));
        await store.CommitAsync(new($"file:{token}:{id}"), null, pieces, TimeSpan.FromHours(1), TestContext.Current.CancellationToken);
        var now = cluster.Clock.GetUtcNow().ToUnixTimeSeconds();
        var line = Encoding.UTF8.GetBytes($$"""{"Uploader":"{{User(7)}}","Name":"old.bin","Size":{{bytes.Length}},"Uploaded":{{now}},"Expiry":{{now + 3600}},"Post":0}""");
        await store.CommitAsync(CommunityScope.Room(token), null, new CommunityChanges().Set("files", $"{id}", line), cancellationToken: TestContext.Current.CancellationToken);

        // Attaching it lets it live on, and the reading finds all of it.
        (await room.PostAsync(new(User(7), false, false), new("x"u8.ToArray(), new byte[64], [id]))).Require(201);
        var file = (await room.GetFileAsync(Admin, id)).File!;
        Assert.Equal(("old.bin", null), (file.Name, file.Blob));
        Assert.True(file.Expiry > now + 3600);
        var read = new List<byte>();
        await foreach (var piece in cluster.Silos[0].Services.GetRequiredService<RoomFiles>().ReadAsync(token, file, TestContext.Current.CancellationToken))
            read.AddRange(piece.Span);
        Assert.Equal(bytes, read);
    }

    [Fact]
    public async Task NothingNew_IsAnsweredToFiveThousand_WithoutTheStore()
    {
        var room = await CreateAsync();
        await PostAsync(room, "x");
        await PollAsync(room, 1);
        await Wait.UntilAsync(() => cluster.CommunityCalls.Contains("CountAsync"), "the activity is counted");
        cluster.SettleDown();
        var before = cluster.CommunityCalls.Count;

        await Task.WhenAll(Enumerable.Range(1, 5000).Select(user => PollAsync(room, user)));

        // The activity of all of them together may have been stored meanwhile, once in ten seconds: two calls.
        Assert.InRange(cluster.CommunityCalls.Count - before, 0, 8);
        Assert.DoesNotContain("GetAsync", cluster.CommunityCalls.Skip(before));

        static async Task PollAsync(IRoomGrain room, int user)
        {
            var caller = new CommunityCaller(User(user), false, false);
            var reply = await room.GetMessagesAsync(caller, new(MessageRange.Since, 1, 100, 5, true));
            Assert.Equal("[]", Encoding.UTF8.GetString(reply.Body.Span));
        }
    }

    [Fact]
    public async Task SecondWriter_IsNoticed_AndNothingIsLost()
    {
        var token = $"r{Guid.NewGuid():N}";
        var room = await CreateAsync(token);
        await PostAsync(room, "one");
        var scope = CommunityScope.Room(token);
        // What another activation would do: something that this one's memory does not know.
        var member = (await cluster.CommunitiesBehindTheirBack.GetAllAsync(scope, "members", TestContext.Current.CancellationToken)).Count;
        Assert.Equal(0, member);
        _ = await cluster.CommunitiesBehindTheirBack.CommitAsync(
            scope, null, new CommunityChanges().Set("members", User(7), """{"Banned":true}"""u8.ToArray()), cancellationToken: TestContext.Current.CancellationToken);

        await PostAsync(room, "two"); // refused at the old version, read again, repeated

        Assert.Equal(["one", "two"], await SinceAsync(room, 0));
        Assert.Equal(403, (await room.GetMessagesAsync(new(User(7), false, false), new(MessageRange.Recent, 0, 10, 0, false))).Status);

        // And a reader asks the store while it is uncertain who lives.
        cluster.Unsettle();
        _ = await cluster.CommunitiesBehindTheirBack.CommitAsync(
            scope, null, new CommunityChanges().Remove("members", User(7)), cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(200, (await room.GetMessagesAsync(new(User(7), false, false), new(MessageRange.Recent, 0, 10, 0, false))).Status);
        cluster.SettleDown();
    }

    [Fact]
    public async Task GlobalModerator_CountsInEveryRoom()
    {
        var room = await CreateAsync();
        var server = cluster.Silos[0].Grains.GetGrain<ICommunityGrain>("testnet");
        var before = (await room.DescribeAsync())!.InfoUpdates;
        var user = User(Random.Shared.Next(10_000, 1_000_000));
        Assert.Equal(200, (await server.SetModeratorAsync(Admin, user, new(true, null, true))).Status);
        Assert.True((await room.DescribeAsync())!.InfoUpdates > before);
        Assert.Contains(user, Encoding.UTF8.GetString((await room.GetAsync(CommunityCaller.Anonymous)).Body.Span), StringComparison.Ordinal);
        Assert.Equal(403, (await room.SetBanAsync(Admin, user, true, null, isGlobalModerator: true)).Status);
        Assert.Equal(200, (await server.SetModeratorAsync(Admin, user, new(false, null, true))).Status);
        Assert.DoesNotContain(user, Encoding.UTF8.GetString((await room.GetAsync(CommunityCaller.Anonymous)).Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task KilledSilo_LosesNoPost()
    {
        const int Rooms = 8;
        await using var store = EmbeddedStore.EmbeddedStore.Start(new() { Port = 0 });
        await using var victim = await ChildSilo.StartAsync("rooms", store.ConnectionString);
        await using var silo = await TestSilo.StartAsync("rooms", store.ConnectionString);
        await TestCluster.UntilAllSeeAsync([silo], 2);
        var server = silo.Grains.GetGrain<ICommunityGrain>(silo.Services.GetRequiredService<Microsoft.Extensions.Options.IOptions<Grains.Network.NetworkOptions>>().Value.Name);
        var tokens = Enumerable.Range(0, Rooms).Select(i => $"room{i}").ToArray();
        foreach (var token in tokens)
            Assert.True(await server.CreateRoomAsync(token, token, null));
        var acknowledged = new ConcurrentDictionary<string, ConcurrentQueue<string>>();
        using var stop = new CancellationTokenSource();
        var running = Task.WhenAll(tokens.Select(async token =>
        {
            var room = silo.Grains.GetGrain<IRoomGrain>(token);
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                try
                {
                    await PostAsync(room, $"{i}");
                    acknowledged.GetOrAdd(token, _ => new()).Enqueue($"{i}");
                }
                catch (Exception exception) when (exception is OrleansException or TimeoutException or SiloUnavailableException)
                {
                    // Unknown, as for any client whose server dies; only what was acknowledged counts.
                }
            }
        }));
        await Wait.UntilAsync(() => acknowledged.Count == Rooms && acknowledged.Values.All(posts => posts.Count >= 5), "all rooms take posts");
        var places = await silo.Grains.GetGrain<IManagementGrain>(0).GetDetailedGrainStatistics();
        Assert.Contains(places, place => place.GrainId.Type.ToString() == "room" && !place.SiloAddress.Equals(silo.Address));

        await victim.KillAsync();

        var counts = acknowledged.ToDictionary(entry => entry.Key, entry => entry.Value.Count);
        await Wait.UntilAsync(() => acknowledged.All(entry => entry.Value.Count > counts[entry.Key] + 3), "all rooms take posts again");
        await stop.CancelAsync();
        await running.WaitAsync(Wait.Limit);
        foreach (var token in tokens)
        {
            var texts = await SinceAsync(silo.Grains.GetGrain<IRoomGrain>(token), 0);
            Assert.Empty(acknowledged[token].Except(texts));
            Assert.Equal(texts.Order(Comparer<string>.Create((x, y) => Number(x).CompareTo(Number(y)))), texts);
        }

        static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
    }

    private static string User(int number) => "15" + number.ToString("x64", CultureInfo.InvariantCulture);

    private async Task<IRoomGrain> CreateAsync(string? token = null)
    {
        token ??= $"r{Guid.NewGuid():N}";
        var grains = cluster.Silos[Random.Shared.Next(cluster.Silos.Count)].Grains;
        Assert.True(await grains.GetGrain<ICommunityGrain>("testnet").CreateRoomAsync(token, token, null));
        return grains.GetGrain<IRoomGrain>(token);
    }

    private static async Task PostAsync(IRoomGrain room, string text) =>
        (await room.PostAsync(Admin, new(Encoding.UTF8.GetBytes(text), new byte[64], []))).Require(201);

    private static async Task<JsonElement[]> PageAsync(IRoomGrain room, MessageQuery query) =>
        [.. JsonElement.Parse((await room.GetMessagesAsync(Admin, query)).Require().Body.Span).EnumerateArray()];

    private static async Task<List<string>> SinceAsync(IRoomGrain room, long sequence)
    {
        List<string> texts = [];
        while (await PageAsync(room, new(MessageRange.Since, sequence, 100, 0, true)) is { Length: > 0 } page)
        {
            texts.AddRange(page.Where(message => message.TryGetProperty("data", out _)).Select(TextOf));
            Assert.All(page.Zip(page.Skip(1)), pair => Assert.True(pair.First.GetProperty("seqno").GetInt64() < pair.Second.GetProperty("seqno").GetInt64()));
            sequence = page[^1].GetProperty("seqno").GetInt64();
        }

        return texts;
    }

    private static string TextOf(JsonElement message) => Encoding.UTF8.GetString(message.GetProperty("data").GetBytesFromBase64());
}

internal static class CommunityReplies
{
    /// <summary>Fails with the answer's words unless it has this status.</summary>
    public static CommunityReply Require(this CommunityReply reply, int status = 200)
    {
        Assert.True(reply.Status == status, $"{reply.Status}: {Encoding.UTF8.GetString(reply.Body.Span)}");
        return reply;
    }
}
