using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Load, watch and wait as users run them: real processes against a real network.</summary>
public sealed class LoadTests(LoadTests.LoadNetwork fixture) : IClassFixture<LoadTests.LoadNetwork>
{
    private readonly TestNetwork _network = fixture.Network;

    private string Data => _network.Process.Directory;

    private string CommunityUrl => _network.Process.Description.GetProperty("communityUrl").GetString()!;

    private string CommunityKey => _network.Process.Description.GetProperty("communityX25519").GetString()!;

    [Fact]
    public async Task OpenLoop_AccountsForEveryMessage_AndWritesItsFiles()
    {
        using var folder = new TemporaryFolder();

        var result = await RunAsync(
            $"load --data \"{Data}\" --rate 20/s --users 20 --duration 4s --poll-interval 500ms --trace 100% --fail-if \"lost>0\" --fail-if \"duplicated>0\" --fail-if \"errors>0%\" --result \"{folder.File("r.json")}\" --report \"{folder.File("r.html")}\"");

        Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        Assert.StartsWith("lost 0 duplicated 0 corrupted 0", result.Output, StringComparison.Ordinal);
        var json = JsonElement.Parse(await File.ReadAllTextAsync(folder.File("r.json"), TestContext.Current.CancellationToken));
        Assert.InRange(json.GetProperty("ledger").GetProperty("delivered").GetInt32(), 60, 400);
        Assert.Equal(json.GetProperty("ledger").GetProperty("expected").GetInt32(), json.GetProperty("ledger").GetProperty("delivered").GetInt32());
        Assert.Contains(json.GetProperty("series").EnumerateArray(), point => point.TryGetProperty("slowest", out var slowest) && slowest.GetProperty("trace").GetString()!.Length == 32);
        Assert.StartsWith("<!doctype html>", await File.ReadAllTextAsync(folder.File("r.html"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task SmokeExample_HoldsOverOnePort_WithGroups()
    {
        var result = await RunAsync(
            $"load --seed {_network.Process.Seed} --trust-on-first-use --path-addressing --scenario \"{RepositoryFiles.Path("examples", "load", "smoke.yaml")}\" --speed 2 --output json");

        Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        Assert.True(JsonElement.Parse(result.Output).GetProperty("passed").GetBoolean());
    }

    [Fact]
    public async Task TownExample_HoldsWithEverythingAtOnce()
    {
        var result = await RunAsync($"load --data \"{Data}\" --scenario \"{RepositoryFiles.Path("examples", "load", "town.yaml")}\" --speed 5 --scale 0.5 --output json");

        Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        var json = JsonElement.Parse(result.Output);
        var operations = Operations(json);
        Assert.All((string[])["send", "sync", "poll", "post", "rooms", "join", "resolve", "swarm", "delivery"], name => Assert.InRange(operations[name], 1, 100_000));
        Assert.True(operations["delivery"] > operations["send"] + operations["sync"], "Posts and messages to groups have several readers each.");
        Assert.Equal(json.GetProperty("ledger").GetProperty("expected").GetInt32(), json.GetProperty("ledger").GetProperty("delivered").GetInt32());
    }

    [Fact]
    public async Task RoomsByTheirUrls_AreJoinedFromAnywhere_AndAnotherRunsPostsAreForeign()
    {
        using var folder = new TemporaryFolder();
        var room = (await RunAsync($"communities create by-url --data \"{Data}\"")).Output.Trim();
        await File.WriteAllTextAsync(folder.File("rooms.yaml"), $$"""
            name: rooms
            users: 8
            stages: [ { for: 4s, rate: 4/s } ]
            poll: { interval: 1s }
            communities: { urls: ["{{room}}"], members: 6, share: 100%, interval: 500ms }
            fail_if: [lost>0, duplicated>0, corrupted>0, errors>0%, "post.rate<0.5/s"]
            """, TestContext.Current.CancellationToken);
        var command = $"load --seed {_network.Process.Seed} --trust-on-first-use --scenario \"{folder.File("rooms.yaml")}\" --output json";

        var first = await RunAsync(command);
        var second = await RunAsync(command + " --random-seed 2"); // other accounts: those of the first run may have posted as often as they may

        Assert.True(first.ExitCode == 0, $"{first.Output}\n{first.Error}");
        Assert.True(second.ExitCode == 0, $"{second.Output}\n{second.Error}");
        Assert.Equal(0, JsonElement.Parse(second.Output).GetProperty("ledger").GetProperty("foreign").GetInt32()); // it begins where the first one ended
    }

    [Fact]
    public async Task RoomThatGoesAway_LosesPosts_AndTheLedgerSaysSo()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("gone.yaml"), """
            name: gone
            users: 12
            seed: 9
            stages: [ { for: 30s, rate: 4/s } ] # long enough for the room to go meanwhile, however slow the machine
            settle: 1s
            attempts: 1
            communities: { count: 1, members: 12, share: 100%, interval: 3s }
            """, TestContext.Current.CancellationToken);
        var running = RunAsync($"load --data \"{Data}\" --scenario \"{folder.File("gone.yaml")}\" --fail-if \"lost>0\" --output json");
        await WaitForPostsAsync("load-9-0", 10);
        Assert.Equal(0, (await RunAsync($"communities remove load-9-0 --data \"{Data}\"")).ExitCode);

        var result = await running;

        Assert.True(result.ExitCode == 4, $"{result.Output}\n{result.Error}");
        var json = JsonElement.Parse(result.Output);
        var ledger = json.GetProperty("ledger");
        Assert.InRange(ledger.GetProperty("lost").GetInt32(), 1, 1000);
        Assert.Equal(ledger.GetProperty("expected").GetInt32(), ledger.GetProperty("lost").GetInt32() + ledger.GetProperty("delivered").GetInt32());
        Assert.True(json.GetProperty("failedAttempts").GetProperty("status 404").GetInt32() > 0, result.Output);
    }

    [Fact]
    public async Task PartsOfTracedRequests_ComeFromTheNetworksSpans()
    {
        using var folder = new TemporaryFolder();

        var result = await RunAsync(
            $"load --data \"{Data}\" --rate 20/s --users 10 --duration 3s --poll-interval 500ms --trace 50% --trace-port {fixture.TracePort} --result \"{folder.File("r.json")}\" --report \"{folder.File("r.html")}\"");

        Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        var json = JsonElement.Parse(await File.ReadAllTextAsync(folder.File("r.json"), TestContext.Current.CancellationToken));
        var traced = json.GetProperty("traced");
        Assert.InRange(traced.GetProperty("sent").GetInt32(), 20, 2000);
        Assert.Equal(traced.GetProperty("sent").GetInt32(), traced.GetProperty("seen").GetInt32());
        var parts = json.GetProperty("hops").EnumerateArray().ToArray();
        string[] names = [.. parts.Select(part => part.GetProperty("part").GetString()!)];
        Assert.Equal(["load process", "connection"], names[..2]);
        Assert.Empty(((string[])["hop 1", "hop 2", "hop 3", "destination", "mailbox.append"]).Except(names));
        Assert.Equal(names.Order(Comparer<string>.Create((one, other) => Rank(one) - Rank(other))), names);
        // Each request passes each hop once.
        Assert.All(parts.Where(part => part.GetProperty("part").GetString() is "hop 1" or "hop 2" or "hop 3" or "destination" or "connection"),
            part => Assert.Equal(traced.GetProperty("sent").GetInt32(), part.GetProperty("count").GetInt32()));
        Assert.All(parts, part => Assert.InRange(part.GetProperty("p50").GetDouble(), 0.001, part.GetProperty("max").GetDouble()));
        Assert.Contains("Where traced requests spent their time", await File.ReadAllTextAsync(folder.File("r.html"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains("destination", result.Output, StringComparison.Ordinal);

        static int Rank(string part) => part switch { "hop 1" => 1, "hop 2" => 2, "hop 3" => 3, "destination" => 4, "load process" or "connection" => -1, _ => part.StartsWith("POST", StringComparison.Ordinal) ? 0 : 5 };
    }

    [Fact]
    public async Task Attachments_GoToTheFileServerAndBack()
    {
        using var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("files.yaml"), """
            name: files
            users: 6
            stages: [ { for: 3s, rate: 4/s } ]
            poll: { interval: 500ms }
            messages: { attachments: 100%, attachment_size: 20kB }
            fail_if: [lost>0, upload.errors>0%, download.errors>0%]
            """, TestContext.Current.CancellationToken);

        var result = await RunAsync($"load --data \"{Data}\" --scenario \"{folder.File("files.yaml")}\" --random-seed 77 --output json");

        Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        var operations = Operations(JsonElement.Parse(result.Output));
        Assert.InRange(operations["upload"], 3, 40);
        Assert.InRange(operations["download"], operations["upload"], 2 * operations["upload"]); // readers and the senders' copies
    }

    [Fact]
    public async Task PreBuiltRequests_MeasureTheServerAlone()
    {
        var result = await RunAsync($"load --data \"{Data}\" --rate 50/s --users 10 --duration 3s --pre-built --fail-if \"poll.errors>0%\" --output json");

        Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        var json = JsonElement.Parse(result.Output);
        Assert.Equal("prebuilt", json.GetProperty("plan").GetProperty("mode").GetString());
        Assert.InRange(json.GetProperty("operations").EnumerateArray().Single(one => one.GetProperty("name").GetString() == "poll").GetProperty("count").GetInt32(), 90, 220);
    }

    [Fact]
    public async Task Shards_MergeToOneRun_ThatCanBeCompared()
    {
        using var folder = new TemporaryFolder();
        for (var i = 0; i < 2; i++)
        {
            var part = await RunAsync(string.Create(CultureInfo.InvariantCulture,
                $"load --data \"{Data}\" --rate 20/s --users 10 --duration 2s --poll-interval 500ms --random-seed 5 --shard {i}/2 --result \"{folder.File($"{i}.json")}\""));
            Assert.True(part.ExitCode == 0, part.Error);
        }

        var merged = await RunAsync($"load merge \"{folder.File("0.json")}\" \"{folder.File("1.json")}\" --fail-if \"lost>0\" --fail-if \"delivered=0\" --result \"{folder.File("all.json")}\"");
        var compared = await RunAsync($"load compare \"{folder.File("0.json")}\" \"{folder.File("all.json")}\" --report \"{folder.File("c.html")}\"");

        Assert.True(merged.ExitCode == 0, $"{merged.Output}\n{merged.Error}");
        Assert.True(compared.ExitCode == 0, compared.Error);
        Assert.Contains("not alike: processes: 1 and 2", compared.Output, StringComparison.Ordinal);
        Assert.Equal(2, (await RunAsync($"load merge \"{folder.File("0.json")}\" \"{folder.File("0.json")}\"")).ExitCode);
    }

    [Fact]
    public async Task CrossedThreshold_IsExitCode4_WithItsFigure()
    {
        var result = await RunAsync($"load --data \"{Data}\" --rate 10/s --users 4 --duration 1s --fail-if \"p50>0ms\"");

        Assert.Equal(4, result.ExitCode);
        Assert.Matches("1 of 1 thresholds crossed: p50>0ms: [0-9.]+", result.Error);
        Assert.StartsWith("lost 0 duplicated 0", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task InterruptedRun_StillReports_AndWritesItsFiles()
    {
        using var folder = new TemporaryFolder();
        using var process = Start($"load --data \"{Data}\" --rate 10/s --users 5 --duration 10m --poll-interval 500ms --result \"{folder.File("r.json")}\" --report \"{folder.File("r.html")}\"");
        var error = process.StandardError;
        await error.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        // The second line comes when the run goes.
        await error.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        using (var signal = Process.Start("kill", ["-INT", process.Id.ToString(CultureInfo.InvariantCulture)]))
            await signal.WaitForExitAsync(TestContext.Current.CancellationToken);

        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        Assert.Equal(0, process.ExitCode);
        Assert.StartsWith("lost 0 duplicated 0", output, StringComparison.Ordinal);
        Assert.Contains("interrupted: stopped after", output, StringComparison.Ordinal);
        Assert.StartsWith("stopped after", JsonElement.Parse(await File.ReadAllTextAsync(folder.File("r.json"), TestContext.Current.CancellationToken)).GetProperty("interrupted").GetString(), StringComparison.Ordinal);
        Assert.Contains("stopped after", await File.ReadAllTextAsync(folder.File("r.html"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RunThatIsInterruptedTwice_CallsNothingLostThatNobodyLookedFor()
    {
        // Nobody polls before the end, so all is outstanding.
        using var process = Start($"load --data \"{Data}\" --rate 40/s --users 40 --duration 10m --poll-interval 1h --output json");
        var error = process.StandardError;
        for (var line = 0; line < 2; line++)
            await error.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        var id = process.Id.ToString(CultureInfo.InvariantCulture);
        using (var signals = Process.Start("sh", ["-c", $"kill -INT {id}; kill -TERM {id}"]))
            await signals.WaitForExitAsync(TestContext.Current.CancellationToken);

        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        Assert.Equal(0, process.ExitCode);
        var ledger = JsonElement.Parse(output).GetProperty("ledger");
        Assert.Equal(0, ledger.GetProperty("lost").GetInt64());
        Assert.InRange(ledger.GetProperty("unread").GetInt64(), 1, long.MaxValue);
        Assert.Equal(ledger.GetProperty("expected").GetInt64(), ledger.GetProperty("unread").GetInt64() + ledger.GetProperty("delivered").GetInt64());
    }

    [Theory]
    [InlineData("load --seed https://127.0.0.1:9 --trust-on-first-use", 3, "gave no list of service nodes")]
    [InlineData("load --data /nowhere", 3, "No testnet runs on '/nowhere'")]
    [InlineData("load --seed https://no-such-host.invalid --trust-on-first-use", 6, "gave no list of service nodes")]
    [InlineData("load --seed {2}", 6, "answered: NotFound")]
    [InlineData("watch --seed {2}", 6, "answered: NotFound")]
    [InlineData("load --scenario {3}", 8, "broken.yaml:2:1: A load plan has no key 'user'")]
    [InlineData("load --scenario {4} --seed {1} --trust-on-first-use", 2, "name the network with --data")]
    [InlineData("load --scenario {5} --seed {1} --trust-on-first-use", 1, "can't be used (status 404)")]
    [InlineData("load --trace-port 9 --data {0}", 2, "--trace-port needs --trace")]
    [InlineData("load --seed nowhere", 2, "--seed takes a URL")]
    [InlineData("load --scenario /nowhere.yaml", 2, "/nowhere.yaml")]
    [InlineData("load --rate fast", 2, "--rate takes a rate")]
    [InlineData("load --fail-if p99", 2, "--fail-if takes")]
    [InlineData("load --shard 2/2 --data {0}", 2, "--shard takes")]
    [InlineData("load --seed {1}", 5, "does not trust")]
    [InlineData("load --seed {1} --pin 0000000000000000000000000000000000000000000000000000000000000000", 5, "another key than the pinned one")]
    [InlineData("load --seed {1} --pin 00", 2, "--pin takes 64 hex digits")]
    [InlineData("watch --seed https://127.0.0.1:9 --trust-on-first-use", 3, "gave no list of service nodes")]
    [InlineData("watch --seed {1}", 5, "does not trust")]
    [InlineData("wait --seed https://127.0.0.1:9 --trust-on-first-use --for 1s", 3, "not usable after 1s")]
    [InlineData("wait --data /nowhere --for 500ms", 3, "not usable after 500ms")]
    public async Task WhatCanNotBe_IsOneLineAndItsExitCode(string arguments, int exitCode, string reason)
    {
        using var folder = new TemporaryFolder();
        foreach (var (file, text) in ((string, string)[])[
            ("broken.yaml", "name: broken\nuser: 5\nstages: [ { for: 1s } ]\n"),
            ("rooms.yaml", "name: rooms\nstages: [ { for: 1s } ]\ncommunities: { count: 1 }\n"),
            ("unknown.yaml", $"name: unknown\nstages: [ {{ for: 1s }} ]\ncommunities: {{ urls: [\"{CommunityUrl}/unknown?public_key={CommunityKey}\"] }}\n")])
            await File.WriteAllTextAsync(folder.File(file), text, TestContext.Current.CancellationToken);
        // The admin port answers everything that it does not know with 404.
        object[] values = [$"\"{Data}\"", _network.Process.Seed, _network.Process.Admin, $"\"{folder.File("broken.yaml")}\"", $"\"{folder.File("rooms.yaml")}\"", $"\"{folder.File("unknown.yaml")}\""];

        var result = await RunAsync(string.Format(CultureInfo.InvariantCulture, arguments, values));

        Assert.True(exitCode == result.ExitCode, result.Error);
        var line = result.Error.Trim().Split('\n')[^1];
        Assert.StartsWith("session-testnet: ", line, StringComparison.Ordinal);
        Assert.Contains(reason, line, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ExpiredCertificate_IsRefused_EvenIfItsKeyIsPinned()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=old", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-9), DateTimeOffset.UtcNow.AddDays(-2));
        using var certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pfx), null);
        var pin = Convert.ToHexStringLower(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = Task.Run(async () =>
        {
            while (true)
            {
                using var client = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
                await using var tls = new SslStream(client.GetStream());
                try
                {
                    await tls.AuthenticateAsServerAsync(certificate);
                    _ = await tls.ReadAsync(new byte[1], TestContext.Current.CancellationToken);
                }
                catch (Exception exception) when (exception is IOException or System.Security.Authentication.AuthenticationException)
                {
                    // The client hangs up: that is what is tested.
                }
            }
        }, TestContext.Current.CancellationToken);

        var result = await RunAsync($"load --seed https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port} --pin {pin}");
        listener.Stop();
        await serving.ContinueWith(_ => { }, TaskScheduler.Default);

        Assert.Equal(7, result.ExitCode);
        Assert.Contains("certificate expired on", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pin_OfTestnetJson_IsTrusted()
    {
        var pin = _network.Process.Description.GetProperty("seedPin").GetString();

        var result = await RunAsync($"wait --seed {_network.Process.Seed} --pin {pin} --for 10s");

        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Contains("the network is usable after", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_OfAHealthyNetwork_IsOk()
    {
        var result = await RunAsync($"watch --data \"{Data}\" --count 3 --every 100ms --output json");

        Assert.True(result.ExitCode == 0, $"{result.Output}\n{result.Error}");
        var checks = result.Output.Trim().Split('\n').Select(line => JsonElement.Parse(line)).ToArray();
        Assert.Equal(3, checks.Length);
        Assert.All(checks, check => Assert.Equal(["swarm", "write", "read", "delete", "gone"], check.GetProperty("milliseconds").EnumerateObject().Select(step => step.Name)));
    }

    [Theory]
    [InlineData("load --rate 10/s --users 5 --duration 1s --poll-interval 200ms", "session.load.messages")]
    [InlineData("watch --count 1", "session.watch.checks")]
    public async Task Metrics_LeaveOverOtlp_WithoutAPortForPrometheus(string command, string metric)
    {
        var port = Ports.Find(1);
        using var collector = new HttpListener();
        collector.Prefixes.Add(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}/"));
        collector.Start();
        var exports = TakeAsync();

        var result = await TestnetProcess.RunAsync($"{command} --data \"{Data}\"", environment: new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"),
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
        });
        collector.Stop();

        Assert.True(result.ExitCode == 0, result.Error);
        // The last figures leave before the process does.
        Assert.Contains(await exports, export => export.Path == "/v1/metrics" && export.Body.AsSpan().IndexOf(Encoding.ASCII.GetBytes(metric)) >= 0);

        async Task<IReadOnlyList<(string Path, byte[] Body)>> TakeAsync()
        {
            var taken = new List<(string, byte[])>();
            while (true)
            {
                try
                {
                    var context = await collector.GetContextAsync();
                    using var body = new MemoryStream();
                    await context.Request.InputStream.CopyToAsync(body, TestContext.Current.CancellationToken);
                    taken.Add((context.Request.Url!.AbsolutePath, body.ToArray()));
                    context.Response.ContentType = "application/x-protobuf";
                    context.Response.Close();
                }
                catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
                {
                    return taken;
                }
            }
        }
    }

    private async Task WaitForPostsAsync(string room, int count)
    {
        var limit = Stopwatch.StartNew();
        while (true)
        {
            var shown = await RunAsync($"communities show {room} --data \"{Data}\" --output json");
            if (shown.ExitCode == 0 && JsonElement.Parse(shown.Output).GetProperty("messageSequence").GetInt32() >= count)
                return;
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(30), $"There are no {count} posts after 30 s:\n{shown.Output}{shown.Error}");
        }
    }

    private static Dictionary<string, int> Operations(JsonElement result) =>
        result.GetProperty("operations").EnumerateArray().ToDictionary(one => one.GetProperty("name").GetString()!, one => one.GetProperty("count").GetInt32());

    private static Task<CommandResult> RunAsync(string arguments) => TestnetProcess.RunAsync(arguments);

    private static Process Start(string arguments) => Process.Start(new ProcessStartInfo(
        "env", $"--default-signal=INT dotnet \"{TestnetProcess.ProgramFile}\" {arguments}")
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    /// <summary>One network for all tests.</summary>
    public sealed class LoadNetwork : IAsyncLifetime
    {
        internal TestNetwork Network { get; private set; } = null!;

        /// <summary>Where the network sends its spans, whether or not anybody takes them.</summary>
        internal int TracePort { get; } = Ports.Find(1);

        /// <inheritdoc/>
        public async ValueTask InitializeAsync() => Network = await TestNetwork.StartAsync(options: "--ephemeral", environment: new Dictionary<string, string>
        {
            ["OTEL_EXPORTER_OTLP_ENDPOINT"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{TracePort}"),
            ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf",
            ["OTEL_BSP_SCHEDULE_DELAY"] = "500",
        });

        /// <inheritdoc/>
        public async ValueTask DisposeAsync()
        {
            Network.Dispose();
            await Network.Process.DisposeAsync();
        }
    }
}

/// <summary>What load and watch find when a network misbehaves: faults are in force for all of it.</summary>
public sealed class LoadUnderFaultsTests
{
    [Fact]
    public async Task NetworkThatRefuses_LosesNothingUnseen_AndFailsTheWatch()
    {
        using var folder = new TemporaryFolder();
        using var network = await TestNetwork.StartAsync(options: "--ephemeral --no-files");
        await using var process = network.Process;
        var data = process.Directory;
        // Readers that come only in the end, when no node answers any more: what was acknowledged is lost to them, and the ledger says so.
        await File.WriteAllTextAsync(folder.File("lost.yaml"), """
            name: lost
            users: 8
            stages: [ { for: 10s, rate: 10/s } ]
            settle: 1s
            timeout: 10s
            attempts: 1
            poll: { interval: 1h }
            """, TestContext.Current.CancellationToken);
        var running = TestnetProcess.RunAsync($"load --data \"{data}\" --scenario \"{folder.File("lost.yaml")}\" --fail-if \"lost>0\" --output json");
        await WaitForMessagesAsync(data);
        Assert.Equal(0, (await TestnetProcess.RunAsync($"faults add --data \"{data}\" --node 0-31 --refuse")).ExitCode);

        var result = await running;
        var watch = await TestnetProcess.RunAsync($"watch --data \"{data}\" --count 1 --attempts 1 --output json");
        var wait = await TestnetProcess.RunAsync($"wait --data \"{data}\" --for 1s");

        Assert.True(result.ExitCode == 4, $"{result.Output}\n{result.Error}");
        var ledger = JsonElement.Parse(result.Output).GetProperty("ledger");
        Assert.InRange(ledger.GetProperty("lost").GetInt32(), 1, 100);
        Assert.Equal(ledger.GetProperty("expected").GetInt32(), ledger.GetProperty("lost").GetInt32() + ledger.GetProperty("delivered").GetInt32());
        Assert.Equal(4, watch.ExitCode);
        Assert.False(JsonElement.Parse(watch.Output.Trim()).GetProperty("ok").GetBoolean());
        Assert.Equal(3, wait.ExitCode);
    }

    [Fact]
    public async Task WrongSignatures_FailTheWatch()
    {
        using var network = await TestNetwork.StartAsync(options: "--ephemeral --no-files");
        await using var process = network.Process;
        Assert.Equal(0, (await TestnetProcess.RunAsync($"faults add --data \"{process.Directory}\" --node 0-31 --wrong-signature")).ExitCode);

        var watch = await TestnetProcess.RunAsync($"watch --data \"{process.Directory}\" --count 1");

        Assert.Equal(4, watch.ExitCode);
        Assert.Contains("FAIL at write: the signature with which node", watch.Output, StringComparison.Ordinal);
    }

    private static async Task WaitForMessagesAsync(string data)
    {
        var limit = Stopwatch.StartNew();
        while (true)
        {
            var status = await TestnetProcess.RunAsync($"status --data \"{data}\" --output json");
            if (status.ExitCode == 0 && JsonElement.Parse(status.Output).GetProperty("liveMessages").GetInt64() > 0)
                return;
            Assert.True(limit.Elapsed < TimeSpan.FromSeconds(30), $"No message arrived within 30 s:\n{status.Output}{status.Error}");
        }
    }
}
