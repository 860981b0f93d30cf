using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Session.Orleans.Conformance.Harness;

/// <summary>The file server of a network, known by its address and its X25519 key as clients know it.</summary>
internal sealed record FileServer(Network Network, Uri Url, byte[] X25519)
{
    /// <summary>Environment variables that name the file server of a network that somebody else runs.</summary>
    public const string UrlVariable = "SESSION_FILE_SERVER_URL", KeyVariable = "SESSION_FILE_SERVER_X25519";

    public static FileServer Of(Network network)
    {
        Assert.SkipWhen(network.FileServer is null, $"No file server is known: {UrlVariable} and {KeyVariable} name one.");
        return new(network, network.FileServer!.Value.Url, network.FileServer!.Value.X25519);
    }

    /// <summary>Sends a request over plain HTTP, or as v4 through three hops.</summary>
    public async Task<Answer> SendAsync(Transport via, string method, string target, byte[]? body = null, Dictionary<string, string>? headers = null)
    {
        var shown = $"{method} {target}";
        if (via is Transport.Onion)
        {
            var info = JsonSerializer.SerializeToUtf8Bytes(new { method, endpoint = target, headers = headers ?? [] });
            var hops = Network.Nodes.ToArray();
            Random.Shared.Shuffle(hops);
            return await PostV4Async(
                [(byte)'l', .. Text(info), .. body is null ? [] : Text(body), (byte)'e'], cipher: method is "POST" ? "aes-gcm" : "xchacha20", path: hops[..3], shown);
        }

        using var request = new HttpRequestMessage(new(method), new Uri(Url, target));
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Headers.ExpectContinue = true; // so that a refusal is read before the body is sent
        }

        foreach (var (name, value) in headers ?? [])
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
                request.Content?.Headers.TryAddWithoutValidation(name, value);
        }

        return (await Network.SendHttpAsync(request, shown)).Answer;
    }

    /// <summary>Posts a v4 plaintext to the server and opens its answer; through a path, or as an exit node does.</summary>
    public async Task<Answer> PostV4Async(byte[] plaintext, string? cipher = "aes-gcm", Node[]? path = null, string shown = "a v4 request")
    {
        var made = Crypto.Seal(cipher ?? "aes-gcm", X25519, plaintext);
        var outer = await PostAsync(made, cipher, "/oxen/v4/lsrpc", path, shown);
        var opened = Crypto.Open(made.Key, outer.Body);
        outer.Should(outer.Status is 200 && opened is not null, "200 and a reply encrypted with the request's key, as raw bytes");
        var (info, rest) = Next(opened.AsMemory(1));
        var (content, end) = Next(rest);
        outer.Should(opened![0] == 'l' && end.Span.SequenceEqual("e"u8), "a list of two strings");
        var json = JsonElement.Parse(info.Span);
        var headers = json.GetProperty("headers");
        Assert.All(headers.EnumerateObject(), header => Assert.DoesNotContain(header.Name, char.IsUpper));
        Assert.False(headers.TryGetProperty("content-length", out _));
        return new("onion " + shown, json.GetProperty("code").GetInt32(), headers.TryGetProperty("content-type", out var type) ? type.GetString() : null, content.ToArray());
    }

    /// <summary>Posts a v3 request as an exit node does and opens its answer.</summary>
    public async Task<string> PostV3Async(string target, string json)
    {
        var made = Crypto.Seal("aes-gcm", X25519, Encoding.UTF8.GetBytes(json));
        var outer = await PostAsync(made, "aes-gcm", target, path: null, json);
        outer.ShouldHaveStatus(200);
        var opened = Network.OpenReply(made.Key, outer.Body, base64: true);
        outer.Should(opened is not null, "a reply encrypted with the request's key, as padded base64");
        return Encoding.UTF8.GetString(opened!);
    }

    private Task<Answer> PostAsync(SealedLayer made, string? cipher, string target, Node[]? path, string shown)
    {
        var encType = cipher is null ? "" : $",\"enc_type\":\"{cipher}\"";
        var payload = Onion.Pack(made.Ciphertext, string.Create(CultureInfo.InvariantCulture,
            $$"""{"host":"{{Url.Host}}","port":{{Url.Port}},"target":"{{target}}","protocol":"{{Url.Scheme}}","method":"POST","ephemeral_key":"{{Convert.ToHexStringLower(made.EphemeralKey)}}"{{encType}}}"""));
        return path is null ? Network.PostAsync(new(Url, target), payload, shown) : Network.PostOnionAsync(Onion.Wrap(path, payload), shown);
    }

    private static byte[] Text(byte[] bytes) => [.. Encoding.ASCII.GetBytes(bytes.Length.ToString(CultureInfo.InvariantCulture)), (byte)':', .. bytes];

    private static (ReadOnlyMemory<byte> Text, ReadOnlyMemory<byte> Behind) Next(ReadOnlyMemory<byte> bytes)
    {
        var colon = bytes.Span.IndexOf((byte)':');
        var length = int.Parse(bytes.Span[..colon], CultureInfo.InvariantCulture);
        return (bytes.Slice(colon + 1, length), bytes[(colon + 1 + length)..]);
    }
}
