using System.Security.Cryptography;
using Session.Orleans.Client;
using Session.Orleans.Client.Communities;
using Session.Orleans.Storage.Tests.Blobs;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>A network whose files are in S3: those of the file server and those of rooms.</summary>
public sealed class S3Tests(S3Server s3) : IClassFixture<S3Server>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Files_OfServerAndRooms_AreInTheBucket_AndOutliveTheProcess()
    {
        Assert.SkipUnless(s3.SkipReason is null, s3.SkipReason ?? "");
        var environment = new Dictionary<string, string>
        {
            ["SESSION_Files__S3__Bucket"] = s3.Options.Bucket,
            ["SESSION_Files__S3__Endpoint"] = s3.Options.Endpoint!.ToString(),
            ["SESSION_Files__S3__AccessKey"] = s3.Options.AccessKey!,
            ["SESSION_Files__S3__SecretKey"] = s3.Options.SecretKey!,
        };
        using var folder = new TemporaryFolder();
        var (own, shared) = (RandomNumberGenerator.GetBytes(200_000), RandomNumberGenerator.GetBytes(300_000));
        string url;
        long id;
        int ports;
        var identity = SessionIdentity.Create();
        await using (var process = await TestnetProcess.StartAsync(folder.Path, "--room hall", 4, environment))
        {
            using var network = new TestNetwork(process);
            var uploaded = await network.SendAsync(HttpMethod.Post, new(new(FileUrl(process)), "/file"), own);
            url = $"/file/{uploaded.Json.GetProperty("id").GetString()}";
            Assert.Single(s3.Objects);

            using var session = await SessionNetwork.ConnectAsync(process.Seed, Cancellation);
            var room = await new SessionClient(session, identity).JoinCommunityAsync(JoinUrl(process), CommunityRoute.Direct, Cancellation);
            var file = await room.UploadAsync(shared, "shared.bin", cancellationToken: Cancellation);
            await room.PostAsync(new CommunityDraft { Files = [file] }, Cancellation);
            (id, ports) = (file.Id, process.FirstPort);
            Assert.Equal(2, s3.Objects.Length);
            Assert.Equal(own.Length + shared.Length, s3.Objects.Sum(path => new FileInfo(path).Length));
            await process.KillAsync();
        }

        await using var again = await TestnetProcess.StartAsync(folder.Path, "--room hall", 4, environment, ports);
        using var networkAgain = new TestNetwork(again);
        Assert.Equal(own, (await networkAgain.SendAsync(HttpMethod.Get, new(new(FileUrl(again)), url))).Bytes);
        using var sessionAgain = await SessionNetwork.ConnectAsync(again.Seed, Cancellation);
        var found = await new SessionClient(sessionAgain, identity).JoinCommunityAsync(JoinUrl(again), CommunityRoute.Direct, Cancellation);
        Assert.Equal(shared, await found.DownloadAsync(id, Cancellation));
    }

    private static string FileUrl(TestnetProcess process) => process.Description.GetProperty("fileServerUrl").GetString()!;

    private static string JoinUrl(TestnetProcess process) =>
        $"{process.Description.GetProperty("communityUrl").GetString()!.TrimEnd('/')}/hall?public_key={process.Description.GetProperty("communityX25519").GetString()}";
}
