using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Session.Orleans.Observability.Tests.Otlp;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Observability.Tests;

/// <summary>A real network that tells everything it can: JSON logs at Information, traces, logs and metrics over OTLP.</summary>
public sealed class ObservedNetwork : IAsyncLifetime
{
    /// <summary>Client address of the requests of <see cref="Http"/>: one that nothing else has.</summary>
    internal const string ClientAddress = "127.0.0.77";

    internal TestNetwork Network { get; private set; } = null!;

    internal OtlpReceiver Collector { get; private set; } = null!;

    internal HttpClient Http { get; } = new(new SocketsHttpHandler
    {
#pragma warning disable CA5359 // service nodes have self-signed certificates by design
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        ActivityHeadersPropagator = null,
        ConnectCallback = static async (context, cancellationToken) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Parse(ClientAddress), 0));
            await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        },
    });

    public async ValueTask InitializeAsync()
    {
        Collector = await OtlpReceiver.StartAsync();
        Network = await TestNetwork.StartAsync(options: "--log-level Information --block-time 2", nodes: 24, environment: new Dictionary<string, string>(Collector.Environment)
        {
            ["SESSION_Logging__Format"] = "Json",
            ["SESSION_Logging__LogLevel__Orleans"] = "Information",
            ["SESSION_Logging__LogLevel__Microsoft"] = "Information",
            ["SESSION_Telemetry__CensusInterval"] = "00:00:02",
        });
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (Network is not null)
        {
            Network.Dispose();
            await Network.Process.DisposeAsync();
        }

        if (Collector is not null)
            await Collector.DisposeAsync();
    }

    /// <summary>A request through three hops to a destination in the account's swarm.</summary>
    internal async Task<OnionReplyContent> OnionAsync(TestAccount account, StorageRequest request, string? traceparent = null)
    {
        var (path, body, reply) = await WrapAsync(Network, account, request);
        return await PostAsync(Http, path[0], body, reply, traceparent);
    }

    internal static async Task<(Snode[] Path, byte[] Body, OnionRequest Request)> WrapAsync(TestNetwork network, TestAccount account, StorageRequest request)
    {
        var destination = await network.MemberForAsync(account.Id);
        Snode[] path = [.. network.Nodes.Where(other => other != destination).Take(3), destination];
        var onion = OnionRequestBuilder.BuildToNode([.. path.Select(hop => hop.ToHop())], OnionCipher.XChaCha20, Encoding.UTF8.GetBytes(request.ToJson()));
        return (path, onion.HttpBody, onion);
    }

    internal static async Task<OnionReplyContent> PostAsync(HttpClient http, Snode guard, byte[] body, OnionRequest onion, string? traceparent)
    {
        using var message = new HttpRequestMessage(HttpMethod.Post, new Uri(guard.Url, "/onion_req/v2")) { Content = new ByteArrayContent(body) };
        if (traceparent is not null)
            message.Headers.Add("traceparent", traceparent);
        using var response = await http.SendAsync(message);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.True(OnionReply.TryOpen(onion.ReplyKey, await response.Content.ReadAsByteArrayAsync(), onion.Base64, out var content));
        return content;
    }

    /// <summary>A command of <c>session-testnet</c> that runs beside the test until it is disposed of.</summary>
    internal static BackgroundCommand Run(string arguments) => new(arguments);
}

/// <summary>See <see cref="ObservedNetwork.Run"/>.</summary>
internal sealed class BackgroundCommand : IAsyncDisposable
{
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _error;

    public BackgroundCommand(string arguments)
    {
        _process = Process.Start(new ProcessStartInfo("dotnet", string.Create(CultureInfo.InvariantCulture, $"\"{Path.Combine(AppContext.BaseDirectory, "session-testnet.dll")}\" {arguments}"))
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        (_output, _error) = (_process.StandardOutput.ReadToEndAsync(), _process.StandardError.ReadToEndAsync());
    }

    public bool HasEnded => _process.HasExited;

    /// <summary>All it said; ends it.</summary>
    public async Task<string> EndAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        return await _output + await _error;
    }

    public async ValueTask DisposeAsync()
    {
        _ = await EndAsync();
        _process.Dispose();
    }
}

/// <summary>Test classes on the observed network.</summary>
[CollectionDefinition(Name)]
public sealed class SharedObservedNetwork : ICollectionFixture<ObservedNetwork>
{
    public const string Name = "observed network";
}
