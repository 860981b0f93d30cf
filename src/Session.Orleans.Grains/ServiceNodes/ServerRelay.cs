using System.Net;
using System.Net.Http.Headers;
using Microsoft.Extensions.Options;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>The way out of the network: posts a layer's plaintext to a server on the allow-list (onion-requests.md, 5).</summary>
internal sealed class ServerRelay : IDisposable
{
    private readonly HttpClient _http;
    private readonly HashSet<string> _allowed;

    public ServerRelay(IOptions<ServerRelayOptions> options)
    {
        _allowed = new(options.Value.AllowedHosts, StringComparer.OrdinalIgnoreCase);
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false, // a redirect would lead past the allow-list
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        };
        _http = new(handler) { Timeout = options.Value.Timeout, MaxResponseContentBufferSize = options.Value.MaxReplyBytes };
        _http.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", "Oxen Storage Server/2.8.0");
    }

    /// <summary>True if the server is on the allow-list.</summary>
    public bool IsAllowed(OnionInstruction.ToServer server) =>
        server.TryGetUri(out _) && _allowed.Contains($"{server.Host}:{server.Port}");

    /// <summary>Posts the payload; the server's status and body become the reply, a failure becomes 504 or 502.</summary>
    public async Task<NodeReply> PostAsync(OnionInstruction.ToServer server, CancellationToken cancellationToken)
    {
        if (!server.TryGetUri(out var uri))
            return NodeReply.Text(502, "Invalid url");
        using var content = new ReadOnlyMemoryContent(server.Payload);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        try
        {
            using var response = await _http.PostAsync(uri, content, cancellationToken);
            return new((int)response.StatusCode, await response.Content.ReadAsByteArrayAsync(cancellationToken), IsJson: false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return NodeReply.Text((int)HttpStatusCode.GatewayTimeout, "Timeout was reached");
        }
        catch (HttpRequestException exception)
        {
            return NodeReply.Text((int)HttpStatusCode.BadGateway, exception.HttpRequestError.ToString());
        }
    }

    public void Dispose() => _http.Dispose();
}
