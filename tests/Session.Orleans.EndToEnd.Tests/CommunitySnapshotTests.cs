using System.Security.Cryptography;
using System.Text.Json;
using Session.Orleans.Client;
using Session.Orleans.Client.Communities;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Communities and files in snapshots: on the network that goes on, and on another one.</summary>
public sealed class CommunitySnapshotTests
{
    private const string Options = "--ephemeral --network-secret \"the secret of a community\" --room hall";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RoomsMessagesAndFiles_AreWhatTheyWere_HereAndElsewhere()
    {
        using var folder = new TemporaryFolder();
        var file = folder.File("snapshot");
        var (alice, bob, own, shared) = (SessionIdentity.Create(), SessionIdentity.Create(), RandomNumberGenerator.GetBytes(100_000), RandomNumberGenerator.GetBytes(200_000));
        string fileId, join;
        CommunityPost first, second;
        long sharedId, image;
        await using (var process = await TestnetProcess.StartAsync(options: Options, nodes: 4))
        {
            using var network = new TestNetwork(process);
            using var session = await SessionNetwork.ConnectAsync(process.Seed, Cancellation);
            join = JoinUrl(process);
            var (hers, his) = (await JoinAsync(session, alice, join), await JoinAsync(session, bob, join));
            await RunAsync(process, $"communities grant hall {hers.Server.Id} --rank admin");
            fileId = (await network.SendAsync(HttpMethod.Post, FileUrl(process, "/file"), own)).Json.GetProperty("id").GetString()!;
            var attachment = await hers.UploadAsync(shared, "shared.bin", cancellationToken: Cancellation);
            first = await hers.PostAsync(new CommunityDraft { Body = "first", Files = [attachment] }, Cancellation);
            second = await his.PostAsync("second", Cancellation);
            await his.ReactAsync(first.Id, "🍍", cancellationToken: Cancellation);
            await hers.PinAsync(second.Id, Cancellation);
            await his.Server.SendTextAsync(hers.Server.Id, "psst", Cancellation);
            await hers.SetPermissionsAsync(his.Server.Id, new(Upload: false), Cancellation);
            image = (await hers.UploadAsync("picture"u8.ToArray(), cancellationToken: Cancellation)).Id;
            await hers.SetImageAsync(image, Cancellation);
            sharedId = attachment.Id;

            var saved = JsonElement.Parse(await RunAsync(process, $"snapshot save \"{file}\" --output json"));
            Assert.Equal((1, 2, 1), (saved.GetProperty("rooms").GetInt32(), saved.GetProperty("posts").GetInt32(), saved.GetProperty("files").GetInt32()));

            // Everything changes ...
            var third = await his.PostAsync("third", Cancellation);
            await hers.DeleteAsync(first.Id, Cancellation);
            await hers.BanAsync(his.Server.Id, cancellationToken: Cancellation);
            await RunAsync(process, "communities create later");
            await hers.Server.ClearInboxAsync(Cancellation);
            var later = (await network.SendAsync(HttpMethod.Post, FileUrl(process, "/file"), shared)).Json.GetProperty("id").GetString()!;

            // ... and is what it was.
            Assert.Equal(saved.GetRawText(), JsonElement.Parse(await RunAsync(process, $"snapshot restore \"{file}\" --output json")).GetRawText());
            await AssertRestoredAsync(process, session);
            Assert.Equal(404, (await network.SendAsync(HttpMethod.Get, FileUrl(process, $"/file/{later}"))).Status);
            Assert.Equal(["hall"], (await hers.Server.GetRoomsAsync(Cancellation)).Select(room => room.Token));
            // Numbers go on: none is given twice.
            Assert.True((await hers.PostAsync("next", Cancellation)).Id > third.Id);
            process.AssertNoErrors();
        }

        await using var other = await TestnetProcess.StartAsync(options: Options, nodes: 4);
        using var otherSession = await SessionNetwork.ConnectAsync(other.Seed, Cancellation);
        join = JoinUrl(other);
        var stranger = await JoinAsync(otherSession, bob, join);
        await stranger.PostAsync("of the other network", Cancellation);
        await RunAsync(other, $"snapshot restore \"{file}\"");
        await AssertRestoredAsync(other, otherSession);
        other.AssertNoErrors();

        async Task AssertRestoredAsync(TestnetProcess process, SessionNetwork session)
        {
            using var network = new TestNetwork(process);
            var (hers, his) = (await JoinAsync(session, alice, join), await JoinAsync(session, bob, join));
            Assert.Equal([(second.Id, "second"), (first.Id, "first")], (await his.GetRecentAsync(cancellationToken: Cancellation)).Select(post => (post.Id, post.Body)));
            Assert.Equal("🍍", (await his.FindAsync(first.Id, Cancellation))!.Reactions.Single().Emoji);
            Assert.Equal([first.Id], (await hers.GetSinceAsync(second.Sequence, cancellationToken: Cancellation)).Select(change => change.Id));
            Assert.Equal([second.Id], hers.Info.Pinned);
            Assert.Equal((true, image), (hers.Info.IsAdmin, hers.Info.ImageId));
            Assert.Equal((true, false), (his.Info.MayWrite, his.Info.MayUpload));
            Assert.Equal(shared, await his.DownloadAsync(sharedId, Cancellation));
            Assert.Equal("picture"u8.ToArray(), await his.DownloadAsync(image, Cancellation));
            Assert.Equal("psst", Assert.Single(await hers.Server.GetInboxAsync(cancellationToken: Cancellation)).Body);
            Assert.Equal("psst", Assert.Single(await his.Server.GetOutboxAsync(cancellationToken: Cancellation)).Body);
            Assert.Equal(own, (await network.SendAsync(HttpMethod.Get, FileUrl(process, $"/file/{fileId}"))).Bytes);
        }
    }

    private static Task<CommunityRoom> JoinAsync(SessionNetwork network, SessionIdentity identity, string url) =>
        new SessionClient(network, identity).JoinCommunityAsync(url, CommunityRoute.Direct, Cancellation);

    private static Uri FileUrl(TestnetProcess process, string path) => new(new(process.Description.GetProperty("fileServerUrl").GetString()!), path);

    private static string JoinUrl(TestnetProcess process) =>
        $"{process.Description.GetProperty("communityUrl").GetString()!.TrimEnd('/')}/hall?public_key={process.Description.GetProperty("communityX25519").GetString()}";

    private static async Task<string> RunAsync(TestnetProcess process, string arguments)
    {
        var result = await TestnetProcess.RunAsync($"{arguments} --data \"{process.Directory}\"");
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output;
    }
}
