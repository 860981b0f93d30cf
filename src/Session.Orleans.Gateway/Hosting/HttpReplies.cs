using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>Replies as a storage server sends them: its Server header, and content types without a charset (storage-rpc.md, 14).</summary>
internal static class HttpReplies
{
    /// <summary>The name in the Server header.</summary>
    public const string ServerName = "Oxen Storage Server/2.8.0";

    private static readonly StringValues JsonType = "application/json";
    private static readonly StringValues TextType = "text/plain";

    public static void SetServer(HttpResponse response) => response.Headers.Server = ServerName;

    public static Task WriteAsync(HttpContext context, NodeReply reply) => WriteAsync(context, reply.Status, reply.Body, reply.IsJson);

    public static Task WriteTextAsync(HttpContext context, int status, string text) =>
        WriteAsync(context, status, Encoding.UTF8.GetBytes(text), isJson: false);

    /// <summary>The same, and the connection ends: the rest of the request is not worth reading.</summary>
    public static Task WriteTextAndCloseAsync(HttpContext context, int status, string text)
    {
        if (HttpProtocol.IsHttp11(context.Request.Protocol))
            context.Response.Headers.Connection = "close";
        return WriteTextAsync(context, status, text);
    }

    public static Task WriteJsonAsync(HttpContext context, ReadOnlyMemory<byte> json) => WriteAsync(context, 200, json, isJson: true);

    /// <summary>Anything that is no route: <c>get /x Not Found</c>.</summary>
    public static Task WriteNotFoundAsync(HttpContext context)
    {
#pragma warning disable CA1308 // the storage server itself spells the verb in lower case
        var verb = context.Request.Method.ToLowerInvariant();
#pragma warning restore CA1308
        return WriteTextAsync(context, 404, $"{verb} {context.Request.PathBase}{context.Request.Path} Not Found");
    }

    private static Task WriteAsync(HttpContext context, int status, ReadOnlyMemory<byte> body, bool isJson)
    {
        var response = context.Response;
        response.StatusCode = status;
        SetServer(response);
        response.Headers.ContentType = isJson ? JsonType : TextType;
        response.ContentLength = body.Length;
        return body.IsEmpty ? Task.CompletedTask : response.BodyWriter.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
