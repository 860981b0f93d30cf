namespace Session.Orleans.Contracts;

/// <summary>
/// A service node: guard, relay hop or destination of onion requests, and the door to the storage RPC of its swarm. The key is the node's
/// Ed25519 public key, 64 lower-case hex digits.
/// </summary>
[Alias("session.IServiceNodeGrain")]
public interface IServiceNodeGrain : IGrainWithStringKey
{
    /// <summary>Removes one onion layer and does what it says (onion-requests.md, 4).</summary>
    /// <returns>Status and body, which travel back to the client unchanged.</returns>
    [Alias("Relay"), ResponseTimeout("00:00:30")]
    ValueTask<NodeReply> RelayAsync(RelayRequest request, CancellationToken cancellationToken = default);

    /// <summary>Executes one storage RPC, sent to this node directly (storage-rpc.md, 1).</summary>
    /// <param name="body">The request's JSON text.</param>
    /// <param name="cancellationToken">Cancelled when the client hangs up.</param>
    [Alias("StorageRpc"), ResponseTimeout("00:00:15")]
    ValueTask<NodeReply> StorageRpcAsync(ReadOnlyMemory<byte> body, CancellationToken cancellationToken = default);

    /// <summary>Executes one storage RPC that came as an OxenMQ message (storage-rpc.md, 17).</summary>
    /// <param name="method">The method's name, without <c>storage.</c>.</param>
    /// <param name="parameters">The message part: nothing, a bencoded dictionary or JSON. The reply comes in the same form.</param>
    /// <param name="cancellationToken">Cancelled when the client hangs up.</param>
    [Alias("StorageMessage"), ResponseTimeout("00:00:15")]
    ValueTask<NodeReply> StorageMessageAsync(string method, ReadOnlyMemory<byte> parameters, CancellationToken cancellationToken = default);
}

/// <summary>One onion layer on its way to the node that can open it (onion-requests.md, 2 and 4).</summary>
/// <param name="Ciphertext">
/// The layer. It goes over to the receiver, who opens it where it lies: the sender does not use this memory again, but for repeating a call that
/// was rejected before it began.
/// </param>
/// <param name="EphemeralKey">The client's X25519 key for this layer (32 bytes).</param>
/// <param name="Cipher">The layer's cipher, a value of <c>OnionCipher</c>.</param>
/// <param name="Number">Hop number as the receiver sees it; the guard's is 0 or what the client pretends.</param>
/// <param name="IsGuard">True at the first hop, which takes any hop number.</param>
[GenerateSerializer, Immutable, Alias("session.RelayRequest")]
public sealed record RelayRequest(
    [property: Id(0)] ReadOnlyMemory<byte> Ciphertext,
    [property: Id(1)] X25519PublicKey EphemeralKey,
    [property: Id(2)] OnionCipher Cipher,
    [property: Id(3)] int Number,
    [property: Id(4)] bool IsGuard = false);

/// <summary>What a node answers: an HTTP status and its body.</summary>
/// <param name="Status">Status code as on the wire.</param>
/// <param name="Body">The body's bytes.</param>
/// <param name="IsJson">True for <c>application/json</c>, false for <c>text/plain</c>.</param>
[GenerateSerializer, Immutable, Alias("session.NodeReply")]
public sealed record NodeReply(
    [property: Id(0)] int Status,
    [property: Id(1)] ReadOnlyMemory<byte> Body,
    [property: Id(2)] bool IsJson)
{
    /// <summary>
    /// The array that <see cref="Body"/> is in, if it was rented from <see cref="System.Buffers.ArrayPool{T}.Shared"/>: for <see cref="Release"/>. It does
    /// not travel: who gets the reply from another silo has a body of its own.
    /// </summary>
    [field: NonSerialized]
    public byte[]? Rented { get; init; }

    /// <summary>Gives a rented body back. Called once, by whoever has written the body to the client; one that is not given back is collected.</summary>
    public void Release()
    {
        if (Rented is not null)
            System.Buffers.ArrayPool<byte>.Shared.Return(Rented);
    }

    /// <summary>A plain-text reply.</summary>
    public static NodeReply Text(int status, string text) => new(status, System.Text.Encoding.UTF8.GetBytes(text), IsJson: false);

    /// <summary>A JSON reply with status 200.</summary>
    public static NodeReply Json(ReadOnlyMemory<byte> json) => new(200, json, IsJson: true);
}
