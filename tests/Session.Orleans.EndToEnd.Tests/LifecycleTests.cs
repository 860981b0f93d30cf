using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Starting, stopping and starting again.</summary>
public sealed class LifecycleTests
{
    [Theory]
    [InlineData(Signals.Terminate)]
    [InlineData(Signals.Interrupt)]
    public async Task Signal_EndsTheNetworkCleanlyWithin5Seconds(int signal)
    {
        await using var process = await TestnetProcess.StartAsync(nodes: 8);
        using var network = new TestNetwork(process);
        var account = new TestAccount();
        Assert.Equal(200, (await network.RpcAsync(await network.MemberForAsync(account.Id), account.Store("x"u8.ToArray()))).Status);

        var (exitCode, took) = await process.StopAsync(signal);

        Assert.Equal(0, exitCode);
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.False(File.Exists(process.DescriptionFile));
        process.AssertNoErrors();
    }

    [Fact]
    public async Task Restart_KeepsMessagesKeysHeightAndCertificate()
    {
        using var folder = new TemporaryFolder();
        var account = new TestAccount();
        string[] keys;
        long height;
        string thumbprint;
        await using (var process = await TestnetProcess.StartAsync(folder.Path, "--block-time 0.2", nodes: 8))
        {
            using var network = new TestNetwork(process);
            var member = await network.MemberForAsync(account.Id);
            Assert.Equal(200, (await network.RpcAsync(member, account.Store("in the inbox"u8.ToArray()))).Status);
            Assert.Equal(200, (await network.RpcAsync(member, account.Store("in private"u8.ToArray(), 5))).Status);
            await WaitForHeightAsync(network, 5);
            keys = Keys(network);
            thumbprint = await ThumbprintAsync(process.Seed.Port);
            height = await HeightAsync(network);
            Assert.Equal(0, (await process.StopAsync()).ExitCode);
        }

        await using var again = await TestnetProcess.StartAsync(folder.Path, "--block-time 0.2", nodes: 8);
        using var same = new TestNetwork(again);

        Assert.Equal(keys, Keys(same));
        Assert.Equal(thumbprint, await ThumbprintAsync(again.Seed.Port));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(folder.File("gateway-key.pem")));
        Assert.InRange(await HeightAsync(same), height, long.MaxValue);
        var swarm = await same.SwarmOfAsync(account.Id);
        Assert.Equal(["in the inbox"], await TextsAsync(same, swarm[0], account, 0));
        Assert.Equal(["in private"], await TextsAsync(same, swarm[^1], account, 5));
        // The same bytes again are known.
        var stored = await same.RpcAsync(swarm[0], account.Store("in the inbox"u8.ToArray()));
        Assert.Contains("\"already\":true", stored.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ephemeral_ForgetsEverything()
    {
        using var folder = new TemporaryFolder();
        var account = new TestAccount();
        string[] keys;
        await using (var process = await TestnetProcess.StartAsync(folder.Path, "--ephemeral", nodes: 3))
        {
            using var network = new TestNetwork(process);
            keys = Keys(network);
            Assert.Equal("memory", process.Description.GetProperty("store").GetString());
            Assert.Equal(200, (await network.RpcAsync(network.Nodes[0], account.Store("x"u8.ToArray()))).Status);
            Assert.Equal(0, (await process.StopAsync()).ExitCode);
        }

        Assert.False(Directory.Exists(folder.File("store")));
        await using var again = await TestnetProcess.StartAsync(folder.Path, "--ephemeral", nodes: 3);
        using var other = new TestNetwork(again);
        Assert.Empty(keys.Intersect(Keys(other)));
        Assert.Empty(await TextsAsync(other, other.Nodes[0], account, 0));
    }

    [Fact]
    public async Task NetworkSecret_Given_MakesTheSameNodesEverywhere()
    {
        const string Secret = "--ephemeral --network-secret \"sixteen letters or more\"";
        await using var one = await TestnetProcess.StartAsync(options: Secret, nodes: 3);
        await using var two = await TestnetProcess.StartAsync(options: Secret, nodes: 3);
        using var first = new TestNetwork(one);
        using var second = new TestNetwork(two);

        Assert.Equal(Keys(first), Keys(second));
    }

    [Fact]
    public async Task Certificate_Given_IsServedOnEveryHttpsPort()
    {
        using var folder = new TemporaryFolder();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var made = new CertificateRequest("CN=certificate of a test", key, HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        await File.WriteAllTextAsync(folder.File("cert.pem"), made.ExportCertificatePem(), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(folder.File("key.pem"), key.ExportPkcs8PrivateKeyPem(), TestContext.Current.CancellationToken);

        await using var process = await TestnetProcess.StartAsync(
            options: $"--ephemeral --cert \"{folder.File("cert.pem")}\" --key \"{folder.File("key.pem")}\"", nodes: 3);
        using var network = new TestNetwork(process);

        foreach (var port in network.Nodes.Select(node => node.Url.Port).Append(process.Seed.Port))
            Assert.Equal(made.Thumbprint, await ThumbprintAsync(port));
    }

    private static string[] Keys(TestNetwork network) => [.. network.Nodes.Select(node => $"{node.Ed25519} {node.X25519} {node.Swarm}")];

    private static async Task<long> HeightAsync(TestNetwork network)
    {
        var reply = await network.PostAsync(new(network.Process.Seed, "/json_rpc"), """{"method":"get_service_nodes","params":{"fields":["height"]}}"""u8.ToArray());
        return reply.Json.GetProperty("result").GetProperty("height").GetInt64();
    }

    private static async Task WaitForHeightAsync(TestNetwork network, long height)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (await HeightAsync(network) < height)
            await Task.Delay(50, limit.Token);
    }

    private static async Task<string[]> TextsAsync(TestNetwork network, Snode node, TestAccount account, short @namespace)
    {
        var reply = await network.RpcAsync(node, account.Retrieve(@namespace));
        Assert.Equal(200, reply.Status);
        return [.. reply.Json.GetProperty("messages").EnumerateArray().Select(message => System.Text.Encoding.UTF8.GetString(message.GetProperty("data").GetBytesFromBase64()))];
    }

    private static async Task<string> ThumbprintAsync(int port)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port, limit.Token);
#pragma warning disable CA5359 // the certificate is looked at below
        await using var tls = new SslStream(client.GetStream(), false, (_, _, _, _) => true);
#pragma warning restore CA5359
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost" }, limit.Token);
        using var certificate = new X509Certificate2(tls.RemoteCertificate!);
        return certificate.Thumbprint;
    }
}
