using System.Buffers;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Gateway.Nodes;
using Session.Orleans.Grains.Names;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Seed;

/// <summary>
/// The seed node: JSON-RPC 2.0 at <c>/json_rpc</c> (network.md, 1; names.md, 7 and 8), and every service node at <c>/snodes/{ed25519}/…</c> for those who reach
/// only one port.
/// </summary>
internal sealed class SeedEndpoints(NetworkViewSource views, NodeEndpoints nodes, NameRpc names, GatewayMetrics metrics)
{
    private const int MaxBody = 1024 * 1024;

    public Task HandleAsync(HttpContext context)
    {
        var path = context.Request.Path;
        if (path.StartsWithSegments("/snodes", out var rest))
            return HandleNodeAsync(context, rest);
        return path.Value is "/json_rpc" && HttpMethods.IsPost(context.Request.Method)
            ? HandleJsonRpcAsync(context)
            : HttpReplies.WriteNotFoundAsync(context);
    }

    private Task HandleNodeAsync(HttpContext context, PathString rest)
    {
        // "/<64 hex>/onion_req/v2": the key ends at the second slash.
        var text = rest.Value ?? "";
        const int KeyEnd = 1 + (2 * Bytes32.Length);
        if (text.Length <= KeyEnd || text[KeyEnd] != '/' || !Ed25519PublicKey.TryParseHex(text.AsSpan(1, 2 * Bytes32.Length), out var key))
            return HttpReplies.WriteNotFoundAsync(context);
        ServiceNode? node = null;
        _ = views.Current?.TryGetNode(key, out node);
        return nodes.HandleAsync(context, node, new PathString(text[KeyEnd..]));
    }

    private async Task HandleJsonRpcAsync(HttpContext context)
    {
        var startedAt = metrics.Now;
        await AnswerJsonRpcAsync(context);
        metrics.Request(GatewayMetrics.Door.Seed, "/json_rpc", context.Response.StatusCode, startedAt);
    }

    private async Task AnswerJsonRpcAsync(HttpContext context)
    {
        if (await ReadAsync(context) is not { } body)
        {
            await HttpReplies.WriteTextAndCloseAsync(context, 413, "Request body too large");
            return;
        }

        await HttpReplies.WriteJsonAsync(context, await AnswerAsync(body));
    }

    private static async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpContext context)
    {
        if (context.Request.ContentLength > MaxBody || await RequestBody.ReadAsync(context, MaxBody) is not { } body)
            return null;
        return body;
    }

    private async ValueTask<ReadOnlyMemory<byte>> AnswerAsync(ReadOnlyMemory<byte> body)
    {
        try
        {
            // The parser does not look into strings; bytes that are no text would surface only where one is used.
            if (!Utf8.IsValid(body.Span))
                return Error(default, -32700, "Parse error");
            using var request = JsonDocument.Parse(body, new() { MaxDepth = 32 });
            return await AnswerAsync(request.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped half of a surrogate pair, which is noticed only when the text is used.
            return Error(default, -32700, "Parse error");
        }
    }

    private async ValueTask<ReadOnlyMemory<byte>> AnswerAsync(JsonElement root)
    {
        var id = root.ValueKind is JsonValueKind.Object && root.TryGetProperty("id", out var given) ? given : default;
        if (root.ValueKind is not JsonValueKind.Object || !root.TryGetProperty("method", out var method)
            || method.ValueKind is not JsonValueKind.String)
            return Error(id, -32600, "Invalid Request");
        var name = method.GetString()!;
        _ = root.TryGetProperty("params", out var parameters);
        if (NameRpc.Knows(name))
        {
            if (views.Current is null)
                return Error(id, -32003, "Server busy, try again later");
            var answer = await names.AnswerAsync(name, parameters);
            return answer.Code == 0 ? Envelope(id, "result", json => json.WriteRawValue(answer.Result.Span, skipInputValidation: true)) : Error(id, answer.Code, answer.Message);
        }

        if (name is not ("get_n_service_nodes" or "get_service_nodes" or "get_all_service_nodes"))
            return Error(id, -32601, "Method not found");
        if (!ServiceNodeList.TryParse(parameters, out var list))
            return Error(id, -32602, "Invalid params");
        if (!views.TryGet(out var view))
            return Error(id, -32003, "Server busy, try again later");
        return Envelope(id, "result", json => list.Write(json, view));
    }

    private static ReadOnlyMemory<byte> Error(JsonElement id, int code, string message) => Envelope(id, "error", json =>
    {
        json.WriteStartObject();
        json.WriteNumber("code", code);
        json.WriteString("message", message);
        json.WriteEndObject();
    });

    private static ReadOnlyMemory<byte> Envelope(JsonElement id, string member, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("jsonrpc", "2.0");
            json.WritePropertyName("id");
            if (id.ValueKind is JsonValueKind.Undefined)
                json.WriteNullValue();
            else
                id.WriteTo(json);
            json.WritePropertyName(member);
            write(json);
            json.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }
}
