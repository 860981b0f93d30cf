using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Silo;
using Embedded = Session.Orleans.EmbeddedStore.EmbeddedStore;

namespace Session.Orleans.Benchmarks;

/// <summary>
/// What a signed request to the community server costs before anything is done for it: reading and verifying alone, and with the round trip that
/// uses up the nonce and tells rank and ban. The difference is the price of replay protection that no silo's death can undo.
/// </summary>
[Config(typeof(ShortRunInProcess))]
public class CommunityAuthenticationBenchmark
{
    private const int Requests = 20_000, Together = 64;
    private const string Method = "GET", Path = "/room/lobby/messages/since/5", Query = "t=r&reactors=5";

    private readonly IReadOnlyDictionary<string, string>[] _headers = new IReadOnlyDictionary<string, string>[Requests];
    private Embedded _store = null!;
    private WebApplication _app = null!;
    private CommunityUsers _users = null!;
    private X25519PublicKey _server;
    private long _now;
    private int _next;

    /// <summary>Starts a silo and signs requests, each with a nonce of its own.</summary>
    [GlobalSetup]
    public void Setup() => SetupAsync().GetAwaiter().GetResult();

    /// <summary>Stops the silo.</summary>
    [GlobalCleanup]
    public void Cleanup() => CleanupAsync().GetAwaiter().GetResult();

    /// <summary>Headers and signature.</summary>
    [Benchmark(Baseline = true)]
    public bool Verify()
    {
        var headers = Next();
        return CommunityCredentials.Read(headers.GetValueOrDefault, new(true, false), _now, out var credentials) is null
            && credentials!.IsSignatureOf(_server, Method, Path, Query, []);
    }

    /// <summary>The same with nonce, rank and ban, for 64 requests at a time as a busy server has them.</summary>
    [Benchmark(OperationsPerInvoke = Together)]
    public Task<bool[]> AuthenticateTogether() => Task.WhenAll(Enumerable.Range(0, Together).Select(_ => Authenticate()));

    /// <summary>The same for one request at a time, which waits for the store to wake up.</summary>
    [Benchmark]
    public async Task<bool> Authenticate() =>
        (await _users.AuthenticateAsync(Next().GetValueOrDefault, Method, Path, Query, default, default)).Error is null;

    private IReadOnlyDictionary<string, string> Next() => _headers[(uint)Interlocked.Increment(ref _next) % Requests];

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
            ["Silo:Port"] = "22911",
            ["Logging:LogLevel:Default"] = "None",
        }, store: _store.Configure());
        await _app.StartAsync();
        _users = _app.Services.GetRequiredService<CommunityUsers>();
        _server = _app.Services.GetRequiredService<CommunityKeys>().PublicKey;
        _now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var keys = new BlindedKeyPair(Ed25519KeyPair.Generate(), _server);
        for (var i = 0; i < Requests; i++)
            _headers[i] = CommunityRequestSignature.Sign(keys, _server, RandomNumberGenerator.GetBytes(16), _now, Method, Path, Query, []);
        if (!await Authenticate())
            throw new InvalidOperationException("A signed request is refused.");
    }

    private async Task CleanupAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
        await _store.DisposeAsync();
    }
}
