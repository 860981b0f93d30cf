using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;
using Session.Orleans.Gateway.Hosting;

namespace Session.Orleans.Gateway.Services;

/// <summary>A request that runs inside another one: what an onion holds, or one part of a batch.</summary>
/// <param name="Method">HTTP method.</param>
/// <param name="Target">Path, perhaps percent-encoded, with query.</param>
/// <param name="Headers">Names without regard to case; <c>Content-Length</c> is ignored.</param>
/// <param name="Body">Raw bytes; null if the request has none.</param>
public sealed record InnerRequest(string Method, string Target, IReadOnlyDictionary<string, string> Headers, ReadOnlyMemory<byte>? Body);

/// <summary>The answer to an <see cref="InnerRequest"/>.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Headers">Values of one name joined by commas.</param>
/// <param name="Body">Raw bytes, maybe empty.</param>
public sealed record InnerReply(int Status, IReadOnlyDictionary<string, string> Headers, ReadOnlyMemory<byte> Body);

/// <summary>
/// All routes of one service. Requests get to it directly, out of onions and out of batches, and can't tell the difference: one
/// implementation serves every way.
/// </summary>
public sealed class ServicePipeline(RequestDelegate next)
{
    private const string DefaultBodyType = "application/octet-stream";

    /// <summary>The service that <paramref name="context"/> is being served by.</summary>
    /// <exception cref="InvalidOperationException">The request did not come through <see cref="ServerOnionExtensions.UseServerOnions"/>.</exception>
    public static ServicePipeline Of(HttpContext context) =>
        context.Features.Get<ServicePipeline>() ?? throw new InvalidOperationException("The request is served by no service pipeline.");

    /// <summary>Serves a request that came over HTTP.</summary>
    public Task InvokeAsync(HttpContext context)
    {
        context.Features.Set(this);
        return next(context);
    }

    /// <summary>
    /// Runs <paramref name="request"/> on behalf of <paramref name="outer"/>: with its client's address, its services, its items (a copy) and
    /// its end. The answer is collected in memory.
    /// </summary>
    /// <param name="outer">The request that holds the other.</param>
    /// <param name="request">The request inside.</param>
    /// <exception cref="OperationCanceledException">The client of the outer request is gone.</exception>
    public async ValueTask<InnerReply> RunAsync(HttpContext outer, InnerRequest request)
    {
        using var body = new BudgetedStream(budget: null);
        return await RunAsync(outer, request, body);
    }

    /// <summary>The same; the body of the answer is a view of <paramref name="body"/>.</summary>
    internal async ValueTask<InnerReply> RunAsync(HttpContext outer, InnerRequest request, BudgetedStream body)
    {
        var response = new InnerResponse();
        var context = Create(outer, request, response, body);
        context.Features.Set(this);
        try
        {
            await next(context);
            await context.Response.CompleteAsync();
            await InnerResponse.RunAsync(response.Starting);
        }
        finally
        {
            await InnerResponse.RunAsync(response.Completed);
        }

        var headers = new Dictionary<string, string>(response.Headers.Count, StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in response.Headers)
            headers[name] = value.ToString();
        return new(response.StatusCode, headers, body.TryGetBuffer(out var bytes) ? bytes : default);
    }

    private static DefaultHttpContext Create(HttpContext outer, InnerRequest request, InnerResponse response, Stream responseBody)
    {
        var (path, query) = Split(request.Target);
        var inner = new HttpRequestFeature
        {
            Method = request.Method,
            Scheme = outer.Request.Scheme,
            Protocol = outer.Request.Protocol,
            Path = path,
            QueryString = query,
            RawTarget = request.Target,
            Body = request.Body is { } bytes ? AsStream(bytes) : Stream.Null,
        };
        foreach (var (name, value) in request.Headers)
            inner.Headers[name] = new StringValues(value);
        inner.Headers.Host = outer.Request.Headers.Host;
        inner.Headers.ContentLength = request.Body?.Length;
        if (request.Body is { Length: > 0 } && StringValues.IsNullOrEmpty(inner.Headers.ContentType))
            inner.Headers.ContentType = DefaultBodyType;

        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(inner);
        features.Set<IHttpRequestBodyDetectionFeature>(new BodyDetection(request.Body is not null));
        features.Set<IHttpResponseFeature>(response);
        features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(responseBody));
        features.Set<IHttpConnectionFeature>(new HttpConnectionFeature
        {
            ConnectionId = outer.Connection.Id,
            RemoteIpAddress = outer.Connection.RemoteIpAddress ?? IPAddress.None,
            RemotePort = outer.Connection.RemotePort,
            LocalIpAddress = outer.Connection.LocalIpAddress,
            LocalPort = outer.Connection.LocalPort,
        });
        var context = new DefaultHttpContext(features) { RequestServices = outer.RequestServices, RequestAborted = outer.RequestAborted };
        foreach (var (key, value) in outer.Items)
            context.Items[key] = value;
        return context;
    }

    /// <summary>The path decoded, the query raw with its question mark: as signatures of requests want them (communities.md, 2.4).</summary>
    private static (string Path, string Query) Split(string target)
    {
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        var path = mark < 0 ? target : target[..mark];
        return (path.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(path) : path, mark < 0 || mark == target.Length - 1 ? "" : target[mark..]);
    }

    private static MemoryStream AsStream(ReadOnlyMemory<byte> bytes) =>
        System.Runtime.InteropServices.MemoryMarshal.TryGetArray(bytes, out var segment)
            ? new(segment.Array!, segment.Offset, segment.Count, writable: false)
            : new(bytes.ToArray(), writable: false);

    private sealed record BodyDetection(bool CanHaveBody) : IHttpRequestBodyDetectionFeature;

    /// <summary>A response that is sent when it is complete, so until then its status and headers may change.</summary>
    private sealed class InnerResponse : HttpResponseFeature
    {
        public List<(Func<object, Task> Callback, object State)> Starting { get; } = [];

        public List<(Func<object, Task> Callback, object State)> Completed { get; } = [];

        public override void OnStarting(Func<object, Task> callback, object state) => Starting.Add((callback, state));

        public override void OnCompleted(Func<object, Task> callback, object state) => Completed.Add((callback, state));

        /// <summary>Runs callbacks as a server does, the last one first.</summary>
        public static async ValueTask RunAsync(List<(Func<object, Task> Callback, object State)> callbacks)
        {
            for (var i = callbacks.Count - 1; i >= 0; i--)
                await callbacks[i].Callback(callbacks[i].State);
            callbacks.Clear();
        }
    }
}
