using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client;

/// <summary>Asks a seed node for the service nodes (network.md, 1).</summary>
public static class SeedClient
{
    /// <summary>All active nodes with a usable address.</summary>
    /// <param name="http">From <see cref="SessionHttp.Create(TimeSpan?)"/>.</param>
    /// <param name="seed">The seed's root URL.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">The seed can't be reached, or its answer is no node list.</exception>
    public static async Task<IReadOnlyList<SnodeAddress>> GetServiceNodesAsync(HttpClient http, Uri seed, CancellationToken cancellationToken)
    {
        var request = new SeedRequest("2.0", 0, "get_n_service_nodes", new(ActiveOnly: true, new(true, true, true, true, true)));
        try
        {
            using var content = JsonContent.Create(request, SeedJsonContext.Default.SeedRequest, new MediaTypeHeaderValue("application/json"));
            using var response = await http.PostAsync(new Uri(seed, "/json_rpc"), content, cancellationToken).ConfigureAwait(false);
            var reply = await response.Content.ReadFromJsonAsync(SeedJsonContext.Default.SeedReply, cancellationToken).ConfigureAwait(false);
            if (reply?.Result is not { } result)
                throw new SessionClientException($"The seed {seed} answered: {reply?.Error?.Message ?? response.StatusCode.ToString()}");
            return [.. result.Nodes.Where(node => node.Ip is not ("" or "0.0.0.0")).Select(node => new SnodeAddress(
                Ed25519PublicKey.ParseHex(node.Ed25519), X25519PublicKey.ParseHex(node.X25519), node.Ip, node.Port))];
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException or FormatException)
        {
            throw new SessionClientException($"The seed {seed} gave no list of service nodes: {exception.Message}", exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SessionClientException($"The seed {seed} did not answer in time.", exception);
        }
    }
}

internal sealed record SeedRequest(string Jsonrpc, int Id, string Method, SeedParameters Params);

internal sealed record SeedParameters([property: JsonPropertyName("active_only")] bool ActiveOnly, SeedFields Fields);

internal sealed record SeedFields(
    [property: JsonPropertyName("public_ip")] bool Ip,
    [property: JsonPropertyName("storage_port")] bool Port,
    [property: JsonPropertyName("pubkey_x25519")] bool X25519,
    [property: JsonPropertyName("pubkey_ed25519")] bool Ed25519,
    bool Height);

internal sealed record SeedReply(SeedResult? Result, SeedError? Error);

internal sealed record SeedError(int Code, string Message);

internal sealed record SeedResult(long Height, [property: JsonPropertyName("service_node_states")] IReadOnlyList<SeedNode> Nodes);

internal sealed record SeedNode(
    [property: JsonPropertyName("public_ip"), JsonRequired] string Ip,
    [property: JsonPropertyName("storage_port"), JsonRequired] int Port,
    [property: JsonPropertyName("pubkey_x25519"), JsonRequired] string X25519,
    [property: JsonPropertyName("pubkey_ed25519"), JsonRequired] string Ed25519);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SeedRequest))]
[JsonSerializable(typeof(SeedReply))]
internal sealed partial class SeedJsonContext : JsonSerializerContext;
