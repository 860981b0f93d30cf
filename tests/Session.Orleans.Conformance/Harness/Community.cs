using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using NSec.Cryptography;

namespace Session.Orleans.Conformance.Harness;

/// <summary>A community server, known by its address and its X25519 key as join URLs tell it.</summary>
/// <param name="Url">Its root.</param>
/// <param name="X25519">Its key.</param>
/// <param name="Room">The open room that all rules share at somebody else's server; null where each makes its own.</param>
/// <param name="Admin">Makes rooms and moderators at a server of the test's own.</param>
internal sealed record CommunityHost(Uri Url, byte[] X25519, string? Room, AdminDoor? Admin)
{
    /// <summary>Environment variable with the join URL of an open room of somebody else's server.</summary>
    public const string RoomVariable = "SESSION_COMMUNITY_ROOM";

    public static CommunityHost? Parse(string? url)
    {
        if (string.IsNullOrEmpty(url))
            return null;
        var parts = url.Split("?public_key=");
        var slash = parts[0].LastIndexOf('/');
        return new(new(parts[0][..slash]), Convert.FromHexString(parts[1]), parts[0][(slash + 1)..], null);
    }
}

/// <summary>The admin API of a network that the test run started, for what no protocol offers: rooms are made by operators (communities.md, 11).</summary>
internal sealed class AdminDoor(TestnetProcess process)
{
    public async Task OrderAsync(string method, string path, JsonObject? body = null)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(new(method), new Uri(process.Admin, path));
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        var token = await File.ReadAllTextAsync(process.Description.GetProperty("adminTokenFile").GetString()!);
        request.Headers.Authorization = new("Bearer", token.Trim());
        using var response = await http.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}

/// <summary>A user of a community server, new for each rule; requests go one way all the time.</summary>
internal sealed class CommunityUser
{
    public const string TextType = "text/plain; charset=utf-8";

    private readonly CommunityHost _host;
    private readonly FileServer _door; // any server is spoken to alike
    private readonly Transport _via;

    public CommunityUser(Network network, Transport via)
    {
        Assert.SkipWhen(network.Communities is null, $"No community server is known: {CommunityHost.RoomVariable} names one by a room's join URL.");
        _host = network.Communities!;
        _door = new(network, _host.Url, _host.X25519);
        _via = via;
        using var key = Crypto.NewSigningKey();
        Seed = key.Export(KeyBlobFormat.RawPrivateKey);
        Ed25519 = key.PublicKey.Export(KeyBlobFormat.RawPublicKey);
        Blinded = new(Seed, _host.X25519);
    }

    public byte[] Seed { get; }

    public byte[] Ed25519 { get; }

    public Blinded Blinded { get; }

    public string Id => Blinded.Id;

    /// <summary>The Session ID: 05 and the X25519 form of the key.</summary>
    public string SessionId => "05" + Convert.ToHexStringLower(Crypto.ToX25519(Ed25519));

    public long Now => _door.Network.Now / 1000;

    public Network Network => _door.Network;

    public FileServer Door => _door;

    /// <summary>The room for this rule: a new one with everybody's permissions but <paramref name="denied"/>, or the shared open one.</summary>
    public async Task<string> RoomAsync(params string[] denied)
    {
        if (_host.Admin is null)
        {
            Assert.SkipWhen(denied.Length > 0, "Needs a room with other permissions than the shared one.");
            return _host.Room!;
        }

        var room = $"c{Guid.NewGuid():N}";
        await _host.Admin.OrderAsync("POST", "/v1/communities", new() { ["token"] = room, ["deny"] = Names(denied) });
        return room;
    }

    /// <summary>Makes this user a moderator or an admin of a room, or of the whole server (<c>+</c>).</summary>
    public Task GrantAsync(string room, string? rank, bool hidden = false) => OrderAsync($"{room}/grants", new() { ["user"] = Id, ["rank"] = rank, ["hidden"] = hidden });

    /// <summary>Allows this user what the room does not.</summary>
    public Task AllowAsync(string room, params string[] allow) => OrderAsync($"{room}/grants", new() { ["user"] = Id, ["allow"] = Names(allow) });

    /// <summary>Denies this user what the room allows.</summary>
    public Task DenyAsync(string room, params string[] deny) => OrderAsync($"{room}/grants", new() { ["user"] = Id, ["deny"] = Names(deny) });

    /// <summary>Bans this user from the whole server.</summary>
    public Task BanAsync() => OrderAsync("+/bans", new() { ["user"] = Id });

    /// <summary>Signs and sends.</summary>
    public Task<Answer> SendAsync(string method, string target, JsonNode? json = null) =>
        SendBytesAsync(method, target, json is null ? null : Encoding.UTF8.GetBytes(json.ToJsonString()));

    public Task<Answer> SendBytesAsync(string method, string target, byte[]? body) => SendWithAsync(method, target, body, Headers(method, target, body));

    /// <summary>Sends without a user.</summary>
    public Task<Answer> SendAnonymouslyAsync(string method, string target, JsonNode? json = null) =>
        SendWithAsync(method, target, json is null ? null : Encoding.UTF8.GetBytes(json.ToJsonString()), []);

    public Task<Answer> SendWithAsync(string method, string target, byte[]? body, Dictionary<string, string> headers) => _door.SendAsync(_via, method, target, body, headers);

    /// <summary>The four headers (communities.md, 3).</summary>
    public Dictionary<string, string> Headers(string method, string target, byte[]? body, long? time = null, byte[]? nonce = null, bool blinded = true)
    {
        nonce ??= RandomNumberGenerator.GetBytes(16);
        var stamp = (time ?? Now).ToString(CultureInfo.InvariantCulture);
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        var path = Uri.UnescapeDataString(mark < 0 ? target : target[..mark]) + (mark < 0 || mark == target.Length - 1 ? "" : target[mark..]);
        byte[] hash = body is { Length: > 0 } ? NSec.Cryptography.HashAlgorithm.Blake2b_512.Hash(body) : [];
        byte[] message = [.. _host.X25519, .. nonce, .. Encoding.ASCII.GetBytes(stamp), .. Encoding.ASCII.GetBytes(method), .. Encoding.UTF8.GetBytes(path), .. hash];
        using var key = Key.Import(SignatureAlgorithm.Ed25519, Seed, KeyBlobFormat.RawPrivateKey);
        return new()
        {
            ["X-SOGS-Pubkey"] = blinded ? Id : "00" + Convert.ToHexStringLower(Ed25519),
            ["X-SOGS-Nonce"] = Convert.ToBase64String(nonce),
            ["X-SOGS-Timestamp"] = stamp,
            ["X-SOGS-Signature"] = Convert.ToBase64String(blinded ? Blinded.Sign(message) : Crypto.Sign(key, message)),
        };
    }

    /// <summary>A message to post, signed.</summary>
    public JsonObject Draft(string text) => Draft(Encoding.UTF8.GetBytes(text));

    public JsonObject Draft(byte[] data) => new() { ["data"] = Convert.ToBase64String(data), ["signature"] = Convert.ToBase64String(Blinded.Sign(data)) };

    public async Task<JsonElement> PostAsync(string room, string text) => (await SendAsync("POST", $"/room/{room}/message", Draft(text))).ShouldBeJson(201);

    /// <summary>A list as the server answers it.</summary>
    public async Task<JsonElement[]> ListAsync(string target) => List(await SendAsync("GET", target));

    public static JsonElement[] List(Answer answer)
    {
        answer.Should(answer is { Status: 200, ContentType: "application/json" } && answer.Text.StartsWith('['), "200 application/json: a list");
        return [.. JsonElement.Parse(answer.Body).EnumerateArray()];
    }

    private static JsonArray Names(string[] names) => [.. names.Select(name => JsonValue.Create(name))];

    private async Task OrderAsync(string path, JsonObject order)
    {
        Assert.SkipWhen(_host.Admin is null, "Needs ranks, permissions or bans that only the server's operator gives.");
        await _host.Admin!.OrderAsync("POST", "/v1/communities/" + path, order);
    }
}
