using System.Diagnostics;
using Session.Orleans.Client;
using Session.Orleans.Failure.Tests.Workload;

namespace Session.Orleans.Failure.Tests;

/// <summary>A disk that gets full, and memory that does not suffice: a clear line, an end, and after the next start everything is there.</summary>
public sealed class ExhaustionTests
{
    private const int Mailboxes = 4;
    private const int LargeBodies = 40;
    private const int LargeBody = 10_000_000;

    [Fact]
    public async Task FullDisk_EndsTheProcessWithAReason_AndLosesNothing()
    {
        using var disk = await SmallDisk.MountAsync("96m");
        var filler = Path.Combine(disk.Path, "filler");
        var data = Path.Combine(disk.Path, "data");
        int ports;
        MailboxTraffic traffic;
        await using (var testnet = await TestnetProcess.StartAsync(data, "--no-omq"))
        {
            ports = testnet.FirstPort;
            traffic = await MailboxTraffic.StartAsync(testnet.Seed, Mailboxes);
            SmallDisk.Fill(filler);
            await testnet.Process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            Assert.Equal(1, testnet.Process.ExitCode);
            Assert.Contains("The embedded store can't write: No space left on device", testnet.Log, StringComparison.Ordinal);
        }

        await using (traffic)
        {
            // No room, not even what the end of the process has freed: no start; and it says why.
            SmallDisk.Fill(filler);
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => TestnetProcess.StartAsync(data, "--no-omq", firstPort: ports));
            Assert.Contains("No space left on device", refused.Message, StringComparison.Ordinal);

            File.Delete(filler);
            await using var again = await TestnetProcess.StartAsync(data, "--no-omq", firstPort: ports);
            await traffic.UntilAllMailboxesWorkAsync();
            Assert.Empty(await traffic.JudgeAsync());
            TestContext.Current.TestOutputHelper!.WriteLine(traffic.Summary());
        }
    }

    [Fact]
    public async Task NoMemory_EndsTheProcessWithAReason_AndLosesNothing()
    {
        using var folder = new TemporaryFolder();
        int ports;
        MailboxTraffic traffic;
        // More than there is for bodies.
        var limited = new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = "0xA000000", ["DOTNET_DbgEnableMiniDump"] = "0", ["Gateway__BodyMemoryMiB"] = "1024" };
        await using (var testnet = await TestnetProcess.StartAsync(folder.Path, "--no-omq", environment: limited))
        {
            ports = testnet.FirstPort;
            traffic = await MailboxTraffic.StartAsync(testnet.Seed, Mailboxes);
            using var end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            using var http = SessionHttp.Create(TimeSpan.FromSeconds(60));
            var requests = SendLargeBodies(http, testnet, end.Token);
            await testnet.Process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            Assert.Contains("Out of memory: the process ends", testnet.Log, StringComparison.Ordinal);
            await end.CancelAsync();
            await Task.WhenAll(requests).ContinueWith(static _ => { }, TaskScheduler.Default);
        }

        await using (traffic)
        {
            await using var again = await TestnetProcess.StartAsync(folder.Path, "--no-omq", firstPort: ports);
            await traffic.UntilAllMailboxesWorkAsync();
            Assert.Empty(await traffic.JudgeAsync());
            TestContext.Current.TestOutputHelper!.WriteLine(traffic.Summary());
        }
    }

    [Fact]
    public async Task LargeBodies_BeyondTheirMemory_AreRefused_AndTheNetworkGoesOn()
    {
        await using var testnet = await TestnetProcess.StartAsync(options: "--no-omq", environment: new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = "0x10000000" });
        await using var traffic = await MailboxTraffic.StartAsync(testnet.Seed, Mailboxes);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        using var http = SessionHttp.Create(TimeSpan.FromSeconds(60));

        // 400 MB for 256 MiB; none of them ends before the network has shown that it goes on.
        var requests = SendLargeBodies(http, testnet, end.Token);
        await traffic.UntilAllMailboxesWorkAsync();
        Assert.False(testnet.Process.HasExited, testnet.Log);
        await end.CancelAsync();
        var refused = 0;
        foreach (var request in requests)
        {
            try
            {
                using var reply = await request.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
                var text = await reply.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                if (reply.StatusCode is System.Net.HttpStatusCode.ServiceUnavailable)
                {
                    Assert.Equal("Server busy, try again later", text);
                    refused++;
                }
                else
                {
                    Assert.Equal(System.Net.HttpStatusCode.BadRequest, reply.StatusCode); // read, and found to be no onion
                }
            }
            catch (HttpRequestException exception)
            {
                // Refused and cut off while it was still sending.
                Assert.IsType<IOException>(exception.InnerException, exactMatch: false);
                refused++;
            }
        }

        Assert.InRange(refused, 1, LargeBodies);

        // Its memory is given back.
        using var again = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            using var large = new ByteArrayContent(new byte[LargeBody]);
            using var reply = await http.PostAsync(FirstNode(testnet), large, again.Token);
            if (reply.StatusCode is System.Net.HttpStatusCode.BadRequest)
                break; // read, and found to be no onion
            Assert.Equal(System.Net.HttpStatusCode.ServiceUnavailable, reply.StatusCode);
        }

        Assert.Empty(await traffic.JudgeAsync());
        testnet.AssertNoErrors();
    }

    private static Task<HttpResponseMessage>[] SendLargeBodies(HttpClient http, TestnetProcess testnet, CancellationToken end) =>
        [.. Enumerable.Range(0, LargeBodies).Select(_ => http.PostAsync(FirstNode(testnet), new UnfinishedContent(end)))];

    private static Uri FirstNode(TestnetProcess testnet) =>
        new(new Uri(testnet.Description.GetProperty("nodes")[0].GetProperty("url").GetString()!), "/onion_req/v2");

    /// <summary>A body that the server has to keep, because its last byte comes late.</summary>
    private sealed class UnfinishedContent(CancellationToken end) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, System.Net.TransportContext? context)
        {
            await stream.WriteAsync(new byte[LargeBody - 1], CancellationToken.None);
            await stream.FlushAsync(CancellationToken.None);
            await Task.Delay(Timeout.Infinite, end).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await stream.WriteAsync(new byte[1], CancellationToken.None);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = LargeBody;
            return true;
        }
    }

    /// <summary>A file system in memory, mounted for one test.</summary>
    private sealed class SmallDisk : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public string Path => _folder.Path;

        public static async Task<SmallDisk> MountAsync(string size)
        {
            var disk = new SmallDisk();
            if (await RunAsync("mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", disk.Path) is not 0)
            {
                disk._folder.Dispose();
                Assert.Skip("Needs the right to mount a file system.");
            }

            return disk;
        }

        /// <summary>Takes all the room there is.</summary>
        public static void Fill(string file)
        {
            using var stream = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
            for (var block = new byte[1 << 20]; block.Length > 0; block = new byte[block.Length / 4])
            {
                try
                {
                    while (true)
                        stream.Write(block);
                }
                catch (IOException)
                {
                    // A smaller block may still fit.
                }
            }
        }

        public void Dispose()
        {
            RunAsync("umount", "--lazy", Path).GetAwaiter().GetResult();
            _folder.Dispose();
        }

        private static async Task<int> RunAsync(string program, params string[] arguments)
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            await process.WaitForExitAsync();
            return process.ExitCode;
        }
    }
}
