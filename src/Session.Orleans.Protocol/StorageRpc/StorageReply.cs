using System.Buffers;
using System.Text;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>The answer to one request: a status and a body, to be sent by HTTP, wrapped for an onion or put into a batch.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">JSON, or the UTF-8 text of an error.</param>
/// <param name="IsJson">True for <c>application/json</c>, false for <c>text/plain</c>.</param>
public readonly record struct StorageReply(int Status, ReadOnlyMemory<byte> Body, bool IsJson)
{
    /// <summary>
    /// The array that <see cref="Body"/> is in, if it was rented from <see cref="ArrayPool{T}.Shared"/>: for <see cref="Release"/>.
    /// </summary>
    public byte[]? Rented { get; init; }

    /// <summary>Gives a rented body back. Called once, by whoever has read the body last; one that is not given back is collected.</summary>
    public void Release()
    {
        if (Rented is not null)
            ArrayPool<byte>.Shared.Return(Rented);
    }

    /// <summary>True for 200..299: a <c>sequence</c> goes on after it.</summary>
    public bool IsSuccess => Status is >= 200 and <= 299;

    /// <summary>A reply with a JSON body.</summary>
    public static StorageReply Json(ReadOnlyMemory<byte> body, int status = 200) => new(status, body, true);

    /// <summary>The reply to a refused request.</summary>
    public static StorageReply FromError(StorageError error) => new(error.Status, Encoding.UTF8.GetBytes(error.Text), false);
}
