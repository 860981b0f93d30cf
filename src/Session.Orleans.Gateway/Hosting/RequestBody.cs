using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>Reads a whole request body into memory, never more than allowed.</summary>
internal static class RequestBody
{
    // A client that only announces a large body gets no memory for it: above this size the buffer grows with what arrives.
    private const int TrustedLength = 256 * 1024;

    /// <summary>The body, or null if it is longer than <paramref name="limit"/> bytes.</summary>
    /// <exception cref="IOException">The client hung up or broke the protocol.</exception>
    public static ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpContext context, int limit)
    {
        var length = context.Request.ContentLength;
        if (length > limit)
            return new((ReadOnlyMemory<byte>?)null);
        return length <= TrustedLength ? ReadExactlyAsync(context, (int)length) : ReadGrowingAsync(context, limit);
    }

    private static async ValueTask<ReadOnlyMemory<byte>?> ReadExactlyAsync(HttpContext context, int length)
    {
        var body = GC.AllocateUninitializedArray<byte>(length);
        var filled = 0;
        while (filled < length)
        {
            var read = await context.Request.Body.ReadAsync(body.AsMemory(filled), context.RequestAborted);
            if (read == 0)
                throw new IOException("The request body ended early.");
            filled += read;
        }

        return body;
    }

    private static async ValueTask<ReadOnlyMemory<byte>?> ReadGrowingAsync(HttpContext context, int limit)
    {
        var writer = new ArrayBufferWriter<byte>(TrustedLength);
        while (true)
        {
            var read = await context.Request.Body.ReadAsync(writer.GetMemory(16 * 1024), context.RequestAborted);
            if (read == 0)
                return writer.WrittenMemory;
            writer.Advance(read);
            if (writer.WrittenCount > limit)
                return null;
        }
    }
}
