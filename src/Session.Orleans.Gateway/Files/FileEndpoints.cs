using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Protocol.FileServer;
using Session.Orleans.Storage.Files;

namespace Session.Orleans.Gateway.Files;

/// <summary>The routes of the file server (file-server.md, 3), alike for direct requests and for those out of onions.</summary>
internal sealed partial class FileEndpoints(FileStore files, IOptions<FilesOptions> options, GatewayMetrics metrics, TimeProvider time, ILogger<FileEndpoints> logger)
{
    private const string JsonType = "application/json"; // exactly so: clients can't read JSON with a charset behind it
    private const int MaxTextUploads = 16; // each is in memory as text and as bytes
    private const string TtlHeader = "X-FS-TTL";

    private static readonly byte[] Base64Start = "{\"status_code\":200,\"result\":\""u8.ToArray();

    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    private readonly FilesOptions _options = options.Value;
    private readonly MinDataRate _minRate = new(options.Value.MinBytesPerSecond, Grace);
    private readonly long _startSeconds = time.GetUtcNow().ToUnixTimeSeconds();
    private int _transfers;
    private int _textUploads;

    public async Task HandleAsync(HttpContext context)
    {
        var (route, id) = FindRoute(context.Request.Path.Value ?? "");
        if (route.Length == 0)
        {
            await WriteStatusAsync(context, 404);
            return;
        }

        var method = route is "/file" or "/files" or "/file/{id}/extend" ? HttpMethods.Post : HttpMethods.Get;
        if (!HttpMethods.Equals(context.Request.Method, method))
        {
            context.Response.Headers.Allow = method;
            await WriteStatusAsync(context, 405);
            return;
        }

        if (Interlocked.Increment(ref _transfers) > _options.MaxTransfers)
        {
            _ = Interlocked.Decrement(ref _transfers);
            metrics.Refused(GatewayMetrics.Refusal.Busy);
            await WriteStatusAsync(context, 503, close: true);
            return;
        }

        metrics.Transfer(1);
        var (startedAt, left) = (metrics.Now, false);
        using var activity = GatewayTelemetry.Source.StartActivity($"{method} {route}", ActivityKind.Server);
        activity?.SetTag("http.request.method", method).SetTag("http.route", route);
        try
        {
            await ServeAsync(context, route, id);
            activity?.SetTag(GatewayTelemetry.HttpStatus, context.Response.StatusCode);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client is gone, and what it left behind with it.
            left = true;
            LogClientLeft();
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException exception)
        {
            // The body broke the protocol, or came too slowly.
            activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", nameof(Microsoft.AspNetCore.Http.BadHttpRequestException));
            await WriteStatusAsync(context, exception.StatusCode, close: true);
        }
        catch (Exception exception) when (exception is not MemoryBudgetException)
        {
            activity?.SetStatus(ActivityStatusCode.Error).SetTag("error.type", exception.GetType().Name);
            LogFailed(exception);
            if (context.Response.HasStarted)
                context.Abort(); // the length was promised; less must not look like all
            else
                await WriteStatusAsync(context, 500, close: true);
        }
        finally
        {
            _ = Interlocked.Decrement(ref _transfers);
            metrics.Transfer(-1);
            metrics.Request(GatewayMetrics.Door.Files, route, left ? 0 : context.Response.StatusCode, startedAt);
        }
    }

    /// <summary>Has the server break off a request whose client is too slow, so that nobody holds a place and memory for nothing.</summary>
    public void LimitSlowness(HttpContext context)
    {
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } upload)
            upload.MinDataRate = _minRate;
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } download)
            download.MinDataRate = _minRate;
    }

    private static (string Route, string Id) FindRoute(string path)
    {
        switch (path)
        {
            case "/file" or "/files" or "/session_version" or "/token_info":
                return (path, "");
            case ['/', 'f', 'i', 'l', 'e', '/', .. var rest]:
                var slash = rest.IndexOf('/', StringComparison.Ordinal);
                if (slash < 0)
                    return (rest.Length > 0 ? "/file/{id}" : "", rest);
                return rest[slash..] switch
                {
                    "/info" => ("/file/{id}/info", rest[..slash]),
                    "/extend" => ("/file/{id}/extend", rest[..slash]),
                    _ => ("", ""),
                };
            case ['/', 'f', 'i', 'l', 'e', 's', '/', .. var id] when id.Length > 0 && !id.Contains('/', StringComparison.Ordinal):
                return ("/files/{id}", id);
            default:
                return ("", "");
        }
    }

    private Task ServeAsync(HttpContext context, string route, string id) => route switch
    {
        "/file" => UploadAsync(context),
        "/files" => UploadBase64Async(context),
        "/file/{id}" => DownloadAsync(context, id),
        "/files/{id}" => DownloadBase64Async(context, id),
        "/file/{id}/info" => InfoAsync(context, id),
        "/file/{id}/extend" => ExtendAsync(context, id),
        "/session_version" => SessionVersionAsync(context),
        _ => WriteStatusAsync(context, 502), // token_info: there is no token
    };

    private async Task UploadAsync(HttpContext context)
    {
        if (context.Request.ContentLength > _options.MaxFileBytes)
        {
            await WriteStatusAsync(context, 413, close: true);
            return;
        }

        if (!TryGetTimeToLive(context, out var timeToLive))
        {
            await WriteStatusAsync(context, 400, close: true);
            return;
        }

        var result = await files.UploadAsync(context.Request.Body, _options.Ids, _options.MaxFileBytes, timeToLive, context.RequestAborted);
        if (result.File is { } file)
        {
            metrics.Uploaded(file.Size);
            await WriteJsonAsync(context, $$"""{"id":"{{file.Id}}","expires":{{Seconds(file.Expires)}}}""");
        }
        else
        {
            await WriteStatusAsync(context, StatusOf(result.Outcome), close: result.Outcome == UploadOutcome.TooLarge);
        }
    }

    private async Task UploadBase64Async(HttpContext context)
    {
        if (Interlocked.Increment(ref _textUploads) > MaxTextUploads)
        {
            _ = Interlocked.Decrement(ref _textUploads);
            await WriteStatusAsync(context, 503, close: true);
            return;
        }

        try
        {
            await UploadTextAsync(context);
        }
        finally
        {
            _ = Interlocked.Decrement(ref _textUploads);
        }
    }

    private async Task UploadTextAsync(HttpContext context)
    {
        // In memory as a whole, so never more than clients send. The text, and the JSON around it.
        var maxText = ((int)Math.Min(_options.MaxFileBytes, FileServerLimits.ClientMaxFileBytes) + 2) / 3 * 4;
        if (await RequestBody.ReadAsync(context, maxText + 1024) is not { } body)
        {
            await WriteStatusAsync(context, 413, close: true);
            return;
        }

        if (!TryReadBase64(body, maxText, out var bytes, out var status) || !TryGetTimeToLive(context, out var timeToLive))
        {
            await WriteStatusAsync(context, status is 200 ? 400 : status);
            return;
        }

        using var content = new MemoryStream(bytes, writable: false);
        var result = await files.UploadAsync(content, _options.Ids, _options.MaxFileBytes, timeToLive, context.RequestAborted);
        if (result.File is { } file)
        {
            metrics.Uploaded(file.Size);
            await WriteJsonAsync(context, $$"""{"result":{{(_options.Ids == FileIdMode.Numeric ? file.Id : $"\"{file.Id}\"")}},"status_code":200}""");
        }
        else
        {
            await WriteStatusAsync(context, StatusOf(result.Outcome));
        }
    }

    private async Task DownloadAsync(HttpContext context, string id)
    {
        if (await FindAsync(id) is not { } file)
        {
            await WriteStatusAsync(context, 404);
            return;
        }

        var response = context.Response;
        response.ContentType = "application/octet-stream";
        response.ContentLength = file.Size;
        response.Headers.Expires = DateTimeOffset.FromUnixTimeMilliseconds(file.Expires).ToString("r", CultureInfo.InvariantCulture);
        await foreach (var piece in files.ReadAsync(file, context.RequestAborted))
        {
            await response.Body.WriteAsync(piece, context.RequestAborted);
            metrics.Downloaded(piece.Length);
        }
    }

    private async Task DownloadBase64Async(HttpContext context, string id)
    {
        if (await FindAsync(id) is not { } file)
        {
            await WriteStatusAsync(context, 404);
            return;
        }

        var response = context.Response;
        response.ContentType = JsonType;
        await response.Body.WriteAsync(Base64Start, context.RequestAborted);
        // Only whole threes of bytes make base64 that can be strung together; what is over waits for the next piece.
        var carry = new byte[2];
        var carried = 0;
        var text = new ArrayBufferWriter<byte>();
        await foreach (var piece in files.ReadAsync(file, context.RequestAborted))
        {
            text.ResetWrittenCount();
            carried = Encode(piece.Span, carry, carried, text);
            await response.Body.WriteAsync(text.WrittenMemory, context.RequestAborted);
        }

        text.ResetWrittenCount();
        _ = Base64.EncodeToUtf8(carry.AsSpan(0, carried), text.GetSpan(4), out _, out var last);
        text.Advance(last);
        text.Write("\"}"u8);
        await response.Body.WriteAsync(text.WrittenMemory, context.RequestAborted);
    }

    private static int Encode(ReadOnlySpan<byte> piece, byte[] carry, int carried, ArrayBufferWriter<byte> text)
    {
        Span<byte> first = stackalloc byte[3];
        if (carried > 0)
        {
            carry.AsSpan(0, carried).CopyTo(first);
            var taken = Math.Min(first.Length - carried, piece.Length);
            piece[..taken].CopyTo(first[carried..]);
            piece = piece[taken..];
            carried += taken;
            if (carried < first.Length)
            {
                first[..carried].CopyTo(carry);
                return carried;
            }

            _ = Base64.EncodeToUtf8(first, text.GetSpan(4), out _, out var written);
            text.Advance(written);
        }

        var whole = piece[..(piece.Length / 3 * 3)];
        _ = Base64.EncodeToUtf8(whole, text.GetSpan(Base64.GetMaxEncodedToUtf8Length(whole.Length)), out _, out var encoded);
        text.Advance(encoded);
        piece[whole.Length..].CopyTo(carry);
        return piece.Length - whole.Length;
    }

    private async Task InfoAsync(HttpContext context, string id)
    {
        if (await FindAsync(id) is { } file)
            await WriteInfoAsync(context, file);
        else
            await WriteStatusAsync(context, 404);
    }

    private async Task ExtendAsync(HttpContext context, string id)
    {
        // A number may have been given to another file meanwhile.
        if (!FileId.IsContentDerived(id))
            await WriteStatusAsync(context, 404);
        else if (!TryGetTimeToLive(context, out var timeToLive))
            await WriteStatusAsync(context, 400);
        else if (await files.ExtendAsync(id, timeToLive) is { } file)
            await WriteInfoAsync(context, file);
        else
            await WriteStatusAsync(context, 404);
    }

    private Task SessionVersionAsync(HttpContext context)
    {
        var request = context.Request;
        if (request.Query["platform"].ToString() is not ("desktop" or "android" or "ios"))
            return WriteStatusAsync(context, 404);
        // A check proves one installation; they are not counted here.
        var checkResult = VersionCheckAuthentication.Check(
            request.Headers["X-FS-Pubkey"], request.Headers["X-FS-Timestamp"], request.Headers["X-FS-Signature"], request.Method,
            request.Path.Value ?? "", request.QueryString.Value?.TrimStart('?') ?? "", time.GetUtcNow().ToUnixTimeSeconds());
        if (checkResult.Error is { } error)
            return WriteAsync(context, checkResult.Status, "text/plain; charset=utf-8", error);
        return _options.SessionVersion.Length == 0
            ? WriteStatusAsync(context, 502)
            : WriteJsonAsync(context, string.Create(
                CultureInfo.InvariantCulture, $$"""{"status_code":200,"updated":{{_startSeconds}}.0,"result":"{{_options.SessionVersion}}"}"""));
    }

    private async Task<StoredFile?> FindAsync(string id) => FileId.IsWellFormed(id) ? await files.FindAsync(id) : null;

    private static Task WriteInfoAsync(HttpContext context, StoredFile file) => WriteJsonAsync(context, string.Create(
        CultureInfo.InvariantCulture, $$"""{"size":{{file.Size}},"uploaded":{{Seconds(file.Uploaded)}},"expires":{{Seconds(file.Expires)}}}"""));

    /// <summary>The header is looked at only where the operator has set how much it may ask for.</summary>
    private bool TryGetTimeToLive(HttpContext context, out TimeSpan timeToLive)
    {
        timeToLive = _options.TimeToLive;
        var header = context.Request.Headers[TtlHeader];
        if (_options.MaxTimeToLive is not { } most || header.Count == 0)
            return true;
        if (!long.TryParse(header.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds > most.TotalSeconds)
            return false;
        timeToLive = TimeSpan.FromSeconds(seconds);
        return true;
    }

    private static bool TryReadBase64(ReadOnlyMemory<byte> body, int maxText, out byte[] bytes, out int status)
    {
        (bytes, status) = ([], 400);
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("file", out var file) || file.ValueKind != JsonValueKind.String)
                return false;
            var text = file.GetString()!;
            if (text.Length == 0 || text.Length > maxText)
            {
                status = 413;
                return false;
            }

            bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length + 3)];
            if (!Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var length))
                return false;
            Array.Resize(ref bytes, length);
            status = 200;
            return true;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static int StatusOf(UploadOutcome outcome) => outcome switch
    {
        UploadOutcome.Empty or UploadOutcome.TooLarge => 413,
        UploadOutcome.NoFreeId => 507,
        _ => throw new ArgumentOutOfRangeException(nameof(outcome)),
    };

    private static string Seconds(long milliseconds) => (milliseconds / 1000m).ToString("0.0##", CultureInfo.InvariantCulture);

    private static Task WriteStatusAsync(HttpContext context, int status, bool close = false)
    {
        if (close && HttpProtocol.IsHttp11(context.Request.Protocol))
            context.Response.Headers.Connection = "close"; // the rest of the body is not worth reading
        return WriteAsync(context, status, JsonType, string.Create(CultureInfo.InvariantCulture, $"{{\"status_code\":{status}}}"));
    }

    private static Task WriteJsonAsync(HttpContext context, string json) => WriteAsync(context, 200, JsonType, json);

    private static Task WriteAsync(HttpContext context, int status, string type, string text)
    {
        var body = Encoding.UTF8.GetBytes(text);
        var response = context.Response;
        response.StatusCode = status;
        response.ContentType = type;
        response.ContentLength = body.Length;
        return response.Body.WriteAsync(body, 0, body.Length, context.RequestAborted);
    }

    [LoggerMessage(EventId = 3211, Level = LogLevel.Debug, Message = "The client hung up")]
    private partial void LogClientLeft();

    [LoggerMessage(EventId = 3212, Level = LogLevel.Error, Message = "A request to the file server failed")]
    private partial void LogFailed(Exception exception);
}
