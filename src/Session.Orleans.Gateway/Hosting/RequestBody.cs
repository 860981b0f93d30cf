using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>Reads a whole request body into memory, never more than allowed.</summary>
internal static class RequestBody
{
    // A client that only announces a large body gets no memory for it: above this size the buffer grows with what arrives.
    private const int TrustedLength = BodyMemory.FreeBytes;

    /// <summary>The body, or null if it is longer than <paramref name="limit"/> bytes.</summary>
    /// <param name="context">The request.</param>
    /// <param name="limit">Most bytes.</param>
    /// <param name="memory">What large bodies take their memory from; null where the number of such requests is bounded.</param>
    /// <exception cref="IOException">The client hung up or broke the protocol.</exception>
    /// <exception cref="MemoryBudgetException">There is no memory left for it now.</exception>
    public static ValueTask<ReadOnlyMemory<byte>?> ReadAsync(HttpContext context, int limit, BodyMemory? memory = null)
    {
        var length = context.Request.ContentLength;
        if (length > limit)
            return new((ReadOnlyMemory<byte>?)null);
        return length <= TrustedLength ? ReadExactlyAsync(context, (int)length) : ReadGrowingAsync(context, limit, memory);
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

    private static async ValueTask<ReadOnlyMemory<byte>?> ReadGrowingAsync(HttpContext context, int limit, BodyMemory? memory)
    {
        var claim = memory?.StartClaim(context);
        var writer = new ArrayBufferWriter<byte>(TrustedLength);
        while (true)
        {
            var read = await context.Request.Body.ReadAsync(writer.GetMemory(16 * 1024), context.RequestAborted);
            if (read == 0)
                return writer.WrittenMemory;
            writer.Advance(read);
            if (writer.WrittenCount > limit)
                return null;
            claim?.GrowTo(writer.WrittenCount);
        }
    }
}
