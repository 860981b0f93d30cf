using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.Testnet;

/// <summary>The admin API of a running network. What it refuses becomes a <see cref="CommandException"/> with the API's own words.</summary>
internal sealed class AdminClient : IDisposable
{
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(10);

    private readonly HttpClient _http;
    private readonly Uri _url;

    private AdminClient(Uri url, string token, TimeSpan timeout)
    {
        _url = url;
        _http = new() { BaseAddress = url, Timeout = timeout };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>A client for the network that runs on <paramref name="directory"/>.</summary>
    /// <exception cref="CommandException">None does.</exception>
    public static AdminClient Open(string directory, TimeSpan? timeout = null) => Open(TestnetDescription.Load(directory), timeout);

    /// <summary>A client for <paramref name="network"/>.</summary>
    /// <exception cref="CommandException">Its token can't be read.</exception>
    public static AdminClient Open(TestnetDescription network, TimeSpan? timeout = null)
    {
        try
        {
            return new(new(network.AdminUrl), File.ReadAllText(network.AdminTokenFile).Trim(), timeout ?? DefaultTimeout);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.NotRunning, $"The admin API at {network.AdminUrl} can't be asked: {exception.Message}");
        }
    }

    public Task<AdminReply<NetworkStatus>> GetStatusAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/v1/status", AdminJsonContext.Default.NetworkStatus, cancellationToken);

    public Task<AdminReply<IReadOnlyList<NodeReport>>> GetNodesAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/v1/nodes", AdminJsonContext.Default.IReadOnlyListNodeReport, cancellationToken);

    public Task<AdminReply<NodeReport>> GetNodeAsync(string node, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, $"/v1/nodes/{Uri.EscapeDataString(node)}", AdminJsonContext.Default.NodeReport, cancellationToken);

    /// <summary>Registers nodes.</summary>
    public Task<AdminReply<NodeOrderReport>> RegisterNodesAsync(RegistrationOrder order, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "/v1/nodes", AdminJsonContext.Default.NodeOrderReport, cancellationToken,
            JsonContent.Create(order, AdminJsonContext.Default.RegistrationOrder));

    /// <summary>Gives a node an order: decommission, recommission, deregister or leave.</summary>
    public Task<AdminReply<NodeOrderReport>> OrderNodeAsync(string node, string order, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, $"/v1/nodes/{Uri.EscapeDataString(node)}/{order}", AdminJsonContext.Default.NodeOrderReport, cancellationToken);

    /// <summary>Gives nodes a label.</summary>
    public Task<AdminReply<LabelReport>> AddLabelAsync(string label, IReadOnlyList<string> nodes, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Put, $"/v1/labels/{Uri.EscapeDataString(label)}", AdminJsonContext.Default.LabelReport, cancellationToken,
            JsonContent.Create(new LabelOrder(nodes), AdminJsonContext.Default.LabelOrder));

    /// <summary>Takes a label from nodes, or from all if none is named.</summary>
    public Task<AdminReply<LabelReport>> RemoveLabelAsync(string label, IEnumerable<string> nodes, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, $"/v1/labels/{Uri.EscapeDataString(label)}{Query("node", nodes)}", AdminJsonContext.Default.LabelReport, cancellationToken);

    /// <summary>Copies a snapshot of the network to <paramref name="target"/>.</summary>
    public async Task SaveSnapshotAsync(Stream target, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _http.GetAsync("/v1/snapshot", HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (!response.IsSuccessStatusCode)
                throw Refused(response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken));
            await response.Content.CopyToAsync(target, cancellationToken);
        }
        catch (Exception exception) when (exception is HttpRequestException or HttpIOException)
        {
            throw new CommandException(ExitCodes.NotRunning, $"The admin API at {Authority} did not send the whole snapshot: {exception.Message}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCodes.NotRunning, $"The admin API at {Authority} did not send the whole snapshot in time.");
        }
    }

    /// <summary>Makes the network what it was when the snapshot was saved.</summary>
    public Task<AdminReply<SnapshotReport>> RestoreSnapshotAsync(Stream snapshot, CancellationToken cancellationToken)
    {
        var content = new StreamContent(snapshot);
        content.Headers.ContentType = new("application/octet-stream");
        return SendAsync(HttpMethod.Put, "/v1/snapshot", AdminJsonContext.Default.SnapshotReport, cancellationToken, content);
    }

    public Task<AdminReply<ChainReport>> GetChainAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/v1/chain", AdminJsonContext.Default.ChainReport, cancellationToken);

    /// <summary>Makes blocks at once.</summary>
    public Task<AdminReply<ChainReport>> StepChainAsync(int blocks, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, string.Create(CultureInfo.InvariantCulture, $"/v1/chain/step?blocks={blocks}"), AdminJsonContext.Default.ChainReport, cancellationToken);

    /// <summary>Lets blocks come by themselves, or stops that.</summary>
    public Task<AdminReply<ChainReport>> SetChainClockAsync(bool runs, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, runs ? "/v1/chain/resume" : "/v1/chain/pause", AdminJsonContext.Default.ChainReport, cancellationToken);

    public Task<AdminReply<IReadOnlyList<SwarmReport>>> GetSwarmsAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/v1/swarms", AdminJsonContext.Default.IReadOnlyListSwarmReport, cancellationToken);

    public Task<AdminReply<SwarmReport>> GetSwarmAsync(string swarm, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, $"/v1/swarms/{Uri.EscapeDataString(swarm)}", AdminJsonContext.Default.SwarmReport, cancellationToken);

    public Task<AdminReply<SwarmReport>> MapAccountAsync(string account, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, $"/v1/accounts/{Uri.EscapeDataString(account)}/swarm", AdminJsonContext.Default.SwarmReport, cancellationToken);

    public Task<AdminReply<IReadOnlyList<FaultReport>>> GetFaultsAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/v1/faults", AdminJsonContext.Default.IReadOnlyListFaultReport, cancellationToken);

    /// <summary>Begins all of these faults, or none.</summary>
    public Task<AdminReply<IReadOnlyList<FaultReport>>> AddFaultsAsync(IReadOnlyList<FaultOrder> orders, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "/v1/faults", AdminJsonContext.Default.IReadOnlyListFaultReport, cancellationToken,
            JsonContent.Create(orders, AdminJsonContext.Default.IReadOnlyListFaultOrder));

    /// <summary>Ends the faults with these ids or labels, or all if there is no name.</summary>
    public Task<AdminReply<IReadOnlyList<FaultReport>>> RemoveFaultsAsync(IEnumerable<string> names, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Delete, "/v1/faults" + Query("name", names), AdminJsonContext.Default.IReadOnlyListFaultReport, cancellationToken);

    public Task<AdminReply<CommunitiesReport>> GetCommunitiesAsync(CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, "/v1/communities", AdminJsonContext.Default.CommunitiesReport, cancellationToken);

    public Task<AdminReply<CommunityReport>> GetCommunityAsync(string room, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Get, RoomPath(room), AdminJsonContext.Default.CommunityReport, cancellationToken);

    /// <summary>Makes a room.</summary>
    public Task<AdminReply<CommunityReport>> CreateCommunityAsync(RoomOrder order, CancellationToken cancellationToken) =>
        SendAsync(HttpMethod.Post, "/v1/communities", AdminJsonContext.Default.CommunityReport, cancellationToken,
            JsonContent.Create(order, AdminJsonContext.Default.RoomOrder));

    /// <summary>Removes a room with all it holds.</summary>
    public Task RemoveCommunityAsync(string room, CancellationToken cancellationToken) => OrderAsync(HttpMethod.Delete, RoomPath(room), null, cancellationToken);

    /// <summary>Gives or takes ranks and permissions.</summary>
    public Task GrantAsync(string room, GrantOrder order, CancellationToken cancellationToken) => OrderAsync(
        HttpMethod.Post, RoomPath(room) + "/grants", JsonContent.Create(order, AdminJsonContext.Default.GrantOrder), cancellationToken);

    /// <summary>Bans a user.</summary>
    public Task BanAsync(string room, BanOrder order, CancellationToken cancellationToken) => OrderAsync(
        HttpMethod.Post, RoomPath(room) + "/bans", JsonContent.Create(order, AdminJsonContext.Default.BanOrder), cancellationToken);

    /// <summary>Ends a ban.</summary>
    public Task UnbanAsync(string room, string user, CancellationToken cancellationToken) =>
        OrderAsync(HttpMethod.Delete, $"{RoomPath(room)}/bans/{Uri.EscapeDataString(user)}", null, cancellationToken);

    public void Dispose() => _http.Dispose();

    private static string RoomPath(string room) => $"/v1/communities/{Uri.EscapeDataString(room)}";

    /// <summary>Sends an order whose answer says nothing but that it was carried out.</summary>
    private async Task OrderAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken) =>
        _ = await SendAsync(method, path, static _ => true, content, cancellationToken);

    private Task<AdminReply<T>> SendAsync<T>(
        HttpMethod method, string path, JsonTypeInfo<T> type, CancellationToken cancellationToken, HttpContent? content = null) =>
        SendAsync(method, path, body => JsonSerializer.Deserialize(body, type) ?? throw new JsonException("It is null."), content, cancellationToken);

    private static string Query(string key, IEnumerable<string> values) =>
        string.Concat(values.Select((value, i) => $"{(i == 0 ? '?' : '&')}{key}={Uri.EscapeDataString(value)}"));

    private async Task<AdminReply<T>> SendAsync<T>(
        HttpMethod method, string path, Func<string, T> read, HttpContent? content, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = content };
            using var response = await _http.SendAsync(request, cancellationToken);
            var body = await response.Content.ReadAsStringAsync(cancellationToken);
            return response.IsSuccessStatusCode
                ? new(body, read(body))
                : throw Refused(response.StatusCode, body);
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw new CommandException(ExitCodes.NotRunning, $"The admin API at {Authority} can't be asked: {exception.Message}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CommandException(ExitCodes.NotRunning, $"The admin API at {Authority} did not answer in time.");
        }
        catch (JsonException exception)
        {
            throw new CommandException(ExitCodes.Failed, $"The admin API at {Authority} gave an answer of another version: {exception.Message}");
        }
    }

    private string Authority => _url.GetLeftPart(UriPartial.Authority);

    private CommandException Refused(HttpStatusCode status, string body)
    {
        // The network stops, or has just begun: there is none to give orders to.
        var exitCode = status is HttpStatusCode.ServiceUnavailable ? ExitCodes.NotRunning : ExitCodes.Failed;
        string? detail = null;
        try
        {
            detail = JsonSerializer.Deserialize(body, AdminJsonContext.Default.ProblemDetails)?.Detail;
        }
        catch (JsonException)
        {
            // Something else than the admin API listens there.
        }

        return new(exitCode, detail?.ReplaceLineEndings(" ") ?? $"The admin API at {Authority} answered {(int)status}.");
    }
}

/// <summary>An answer of the admin API.</summary>
/// <param name="Json">As it came, for scripts.</param>
/// <param name="Value">The same, read.</param>
internal sealed record AdminReply<T>(string Json, T Value);
