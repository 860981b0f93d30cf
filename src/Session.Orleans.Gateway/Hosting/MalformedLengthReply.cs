using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>
/// Answers a <c>Content-Length</c> that is no number as a storage server does (storage-rpc.md, 14). Kestrel refuses such a request before any
/// middleware sees it, with an empty body; so the right answer goes out when its diagnostic event tells, and its own is kept back.
/// </summary>
internal sealed class MalformedLengthReply : IObserver<KeyValuePair<string, object?>>
{
    private const string BadRequest = "Microsoft.AspNetCore.Server.Kestrel.BadRequest", Body = "invalid Content-Length";

    /// <summary>Answers for all connections that <see cref="Prepare"/> is in the way of.</summary>
    public static void Attach(DiagnosticListener listener) => listener.Subscribe(new MalformedLengthReply(), static name => name == BadRequest);

    /// <summary>Connection middleware; belongs between TLS and HTTP.</summary>
    public static void Prepare(ListenOptions listen) => listen.Use(next => connection =>
    {
        var output = new ReplaceableOutput(connection.Transport.Output);
        connection.Transport = new Pipes(connection.Transport.Input, output);
        connection.Features.Set(output);
        return next(connection);
    });

    /// <inheritdoc/>
    public void OnNext(KeyValuePair<string, object?> value)
    {
        if (value.Value is IFeatureCollection features
            && features.Get<IBadRequestExceptionFeature>()?.Error is Microsoft.AspNetCore.Http.BadHttpRequestException error
            && error.Message.StartsWith("Invalid content length", StringComparison.Ordinal)
            && features.Get<IHttpResponseFeature>() is { HasStarted: false })
        {
            features.Get<ReplaceableOutput>()?.SendLast(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
                $"HTTP/1.1 400 Bad Request\r\nContent-Length: {Body.Length}\r\nConnection: close\r\nContent-Type: text/plain\r\nDate: {DateTimeOffset.UtcNow:r}\r\nServer: {HttpReplies.ServerName}\r\n\r\n{Body}")));
        }
    }

    /// <inheritdoc/>
    public void OnCompleted()
    {
    }

    /// <inheritdoc/>
    public void OnError(Exception error)
    {
    }

    private sealed record Pipes(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    /// <summary>A connection's output that can be told its last words; what is written after them goes nowhere.</summary>
    private sealed class ReplaceableOutput(PipeWriter inner) : PipeWriter
    {
        private bool _ended;

        public override bool CanGetUnflushedBytes => inner.CanGetUnflushedBytes;

        public override long UnflushedBytes => _ended ? 0 : inner.UnflushedBytes;

        public void SendLast(byte[] reply)
        {
            inner.Write(reply);
            _ended = true;
            // The bytes are in the connection's buffer; the wait that is left is for the network, and the event has no time for it.
            _ = inner.FlushAsync().AsTask();
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => _ended ? new byte[Math.Max(sizeHint, 4096)] : inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => _ended ? new byte[Math.Max(sizeHint, 4096)] : inner.GetSpan(sizeHint);

        public override void Advance(int bytes)
        {
            if (!_ended)
                inner.Advance(bytes);
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) =>
            _ended ? default : inner.FlushAsync(cancellationToken);

        public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
            _ended ? default : inner.WriteAsync(source, cancellationToken);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);
    }
}
