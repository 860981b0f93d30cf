using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Session.Orleans.Contracts;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Silo;
using Embedded = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Benchmarks;

/// <summary>
/// The server without HTTP: a real silo on the embedded store in memory, called where the gateway calls it, at the guard's grain. Three
/// relay hops, the destination, the mailbox and, for a store, Redis. The line "CPU" at the end of each case is processor time, which the
/// wall clock does not show; one request at a time spends much of its wall time on threads waking up.
/// </summary>
[MemoryDiagnoser]
[Config(typeof(ShortRunInProcess))]
public class GrainChainBenchmark
{
    private const int Requests = 1024;
    private const int Accounts = 128;

    private readonly Ed25519KeyPair[] _accounts = [.. Enumerable.Range(0, Accounts).Select(_ => Ed25519KeyPair.Generate())];
    private readonly (IServiceNodeGrain Guard, RelayRequest Relay, OnionLayerKey ReplyKey)[] _requests =
        new (IServiceNodeGrain, RelayRequest, OnionLayerKey)[Requests];

    private string _directory = "";
    private Embedded _store = null!;
    private WebApplication _silo = null!;
    private NetworkView _view = null!;
    private TimeSpan _cpu;
    private long _done;

    /// <summary>Requests in flight.</summary>
    [Params(1, 16)]
    public int InFlight { get; set; }

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _directory = Directory.CreateTempSubdirectory("chain-benchmark-").FullName;
        _store = Embedded.Start();
        _silo = await SiloHost.BuildAsync(new Dictionary<string, string?>
        {
            ["Network:Secret"] = Convert.ToHexString(RandomNumberGenerator.GetBytes(32)),
            ["Gateway:DataDirectory"] = _directory,
            ["Gateway:SeedPort"] = "0",
            ["Gateway:AdminPort"] = "0",
            ["Gateway:NodePorts"] = "0",
            ["Files:Enabled"] = "false",
            ["Silo:Port"] = FindPort(),
            ["Logging:LogLevel:Default"] = "Warning",
        }, store: _store.Configure());
        await _silo.StartAsync();
        var views = _silo.Services.GetRequiredService<NetworkViewSource>();
        await views.WaitForFirstAsync(CancellationToken.None);
        _view = views.Current!;
        // Compiled code, loaded mailboxes and, once, a look into the replies.
        BuildPolls();
        await SendAsync(check: true);
        BuildStores();
        await SendAsync(check: true);
    }

    [GlobalCleanup]
    public async Task CleanupAsync()
    {
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"// CPU, {InFlight} in flight: {_cpu.TotalMicroseconds / _done:F0} us per request"));
        await _silo.StopAsync();
        await _silo.DisposeAsync();
        await _store.DisposeAsync();
        Directory.Delete(_directory, recursive: true);
    }

    [IterationSetup(Target = nameof(Poll))]
    public void BuildPolls() => Build(account =>
        new RetrieveRequest { Account = account.SessionId, Timestamp = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() }.SignWith(account));

    [IterationSetup(Target = nameof(Store))]
    public void BuildStores() => Build(account =>
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();
        // Namespace 0 of a group's prefix byte is another mailbox than the polled one, which has to stay empty.
        var mailbox = account.SessionId with { Prefix = AccountId.GroupPrefix };
        return new StoreRequest { Account = mailbox, Timestamp = now, Expiry = now + 86_400_000, Data = RandomNumberGenerator.GetBytes(1024) };
    });

    /// <summary>An authenticated poll of an empty mailbox.</summary>
    [Benchmark(OperationsPerInvoke = Requests)]
    public Task Poll() => SendAsync(check: false);

    /// <summary>A store of 1 KiB, signed by the swarm.</summary>
    [Benchmark(OperationsPerInvoke = Requests)]
    public Task Store() => SendAsync(check: false);

    private async Task SendAsync(bool check)
    {
        var before = Environment.CpuUsage.TotalTime;
        var next = -1;
        await Task.WhenAll(Enumerable.Range(0, InFlight).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var index && index < Requests)
            {
                var (guard, relay, key) = _requests[index];
                var reply = await guard.RelayAsync(relay with { Ciphertext = relay.Ciphertext.ToArray() }); // the guard opens it in place
                if (reply.Status != 200
                    || (check && (!OnionReply.TryOpen(key, reply.Body.Span, base64: true, out var content) || content.Status != 200)))
                    throw new InvalidOperationException($"A request was answered {reply.Status}.");
            }
        })));
        if (check)
            return;
        _cpu += Environment.CpuUsage.TotalTime - before;
        _done += Requests;
    }

    private void Build(Func<Ed25519KeyPair, StorageRequest> create)
    {
        for (var i = 0; i < Requests; i++)
        {
            var request = create(_accounts[i % Accounts]);
            var swarm = _view.SwarmOf(((AccountRequest)request).Account)!;
            var destination = swarm.Members[i % swarm.Members.Length];
            var relays = _view.Nodes.Where(node => node != destination).ToArray();
            Random.Shared.Shuffle(relays);
            OnionHop[] path = [.. relays.Take(3).Append(destination).Select(node => new OnionHop(node.PublicKey, node.Keys.X25519.PublicKey))];
            var onion = OnionRequestBuilder.BuildToNode(path, OnionCipher.XChaCha20, StorageRequestWriter.ToArray(request));
            if (!OnionEnvelope.TryParse(onion.HttpBody, out var envelope, out _))
                throw new InvalidOperationException("The request can't be parsed.");
            _requests[i] = (
                relays[0].Grain, new(envelope.Ciphertext, envelope.EphemeralKey, envelope.Cipher, envelope.HopNumber, IsGuard: true), onion.ReplyKey);
        }
    }

    private static string FindPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
    }
}
