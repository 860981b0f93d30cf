using System.Buffers;
using Session.Orleans.Protocol.StorageRpc.Writing;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// Writes the replies that one node gives alone (storage-rpc.md, 4, 9 and 13): compact JSON, keys sorted by byte value, UTF-8 unescaped.
/// </summary>
public static class StorageReplies
{
    /// <summary>Reply to <c>retrieve</c>.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="messages">The page of messages, in the order of their arrival at this node.</param>
    /// <param name="more">True if a limit kept a further message out (see <see cref="RetrievePage"/>).</param>
    /// <param name="clock">Server time and hard fork.</param>
    public static void WriteRetrieve(IBufferWriter<byte> output, ReadOnlySpan<RetrievedMessage> messages, bool more, in ServerClock clock)
    {
        var json = new Utf8Output(output);
        json.Raw("{\"hf\":"u8);
        json.HardFork(clock.HardFork);
        json.Raw(",\"messages\":["u8);
        for (var i = 0; i < messages.Length; i++)
        {
            ref readonly var message = ref messages[i];
            json.Raw(i > 0 ? ",{\"data\":"u8 : "{\"data\":"u8);
            json.Base64(message.Data.Span);
            json.Raw(",\"expiration\":"u8);
            json.Number(message.Expiry);
            json.Raw(",\"hash\":"u8);
            json.Hash(message.Hash);
            json.Raw(",\"timestamp\":"u8);
            json.Number(message.Timestamp);
            json.Raw("}"u8);
        }

        json.Raw("],\"more\":"u8);
        json.Boolean(more);
        Finish(ref json, clock);
    }

    /// <summary>Reply to <c>get_expiries</c>: the known ones among the messages asked for, in any order.</summary>
    public static void WriteExpiries(IBufferWriter<byte> output, ReadOnlySpan<HashExpiry> expiries)
    {
        var json = new Utf8Output(output);
        json.Raw("{\"expiries\":"u8);
        json.Expiries(Sorting.ByHash(expiries));
        json.Raw("}"u8);
        json.Complete();
    }

    /// <summary>Reply to <c>info</c>.</summary>
    public static void WriteInfo(IBufferWriter<byte> output, in ServerClock clock)
    {
        var json = new Utf8Output(output);
        json.Raw("{\"hf\":"u8);
        json.HardFork(clock.HardFork);
        json.Raw(",\"t\":"u8);
        json.Number(clock.NowMs);
        json.Raw(",\"timestamp\":"u8);
        json.Number(clock.NowMs);
        json.Raw(",\"version\":"u8);
        json.Version();
        json.Raw("}"u8);
        json.Complete();
    }

    /// <summary>
    /// The <c>snodes</c> list of a swarm, in the order given. It changes only with the network: render it once and pass it to
    /// <see cref="WriteSwarm"/> many times.
    /// </summary>
    public static byte[] RenderNodes(ReadOnlySpan<SwarmNode> nodes)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var json = new Utf8Output(buffer);
        json.Raw("["u8);
        for (var i = 0; i < nodes.Length; i++)
        {
            ref readonly var node = ref nodes[i];
            json.Raw(i > 0 ? ",{\"address\":"u8 : "{\"address\":"u8);
            json.Text(node.Address);
            json.Raw(",\"ip\":"u8);
            json.Text(node.Ip);
            json.Raw(",\"port\":\""u8);   // a string, for the oldest clients
            json.Number(node.HttpsPort);
            json.Raw("\",\"port_https\":"u8);
            json.Number(node.HttpsPort);
            json.Raw(",\"port_omq\":"u8);
            json.Number(node.OmqPort);
            json.Raw(",\"port_quic\":"u8);
            json.Number(node.OmqPort);
            json.Raw(",\"pubkey_ed25519\":"u8);
            json.Hex(node.Ed25519Key.AsSpan());
            json.Raw(",\"pubkey_legacy\":"u8);
            json.Hex(node.LegacyKey.AsSpan());
            json.Raw(",\"pubkey_x25519\":"u8);
            json.Hex(node.X25519Key.AsSpan());
            json.Raw("}"u8);
        }

        json.Raw("]"u8);
        json.Complete();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reply to <c>get_swarm</c>, and body of a 421.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="nodes">JSON list made by <see cref="RenderNodes"/>; empty if the node knows no swarm.</param>
    /// <param name="swarm">The account's swarm; <see cref="SwarmId.Unassigned"/> if the node knows none.</param>
    /// <param name="clock">Server time and hard fork.</param>
    public static void WriteSwarm(IBufferWriter<byte> output, ReadOnlySpan<byte> nodes, SwarmId swarm, in ServerClock clock)
    {
        var json = new Utf8Output(output);
        json.Raw("{\"hf\":"u8);
        json.HardFork(clock.HardFork);
        json.Raw(",\"snodes\":"u8);
        json.Raw(nodes.IsEmpty ? "[]"u8 : nodes);
        json.Raw(",\"swarm\":"u8);
        json.Text(swarm.ToString());
        Finish(ref json, clock);
    }

    /// <summary>Reply to <c>oxend_request</c>; <paramref name="result"/> is the daemon's JSON.</summary>
    public static void WriteOxend(IBufferWriter<byte> output, ReadOnlySpan<byte> result, in ServerClock clock)
    {
        var json = new Utf8Output(output);
        json.Raw("{\"hf\":"u8);
        json.HardFork(clock.HardFork);
        json.Raw(",\"result\":"u8);
        json.Raw(result);
        Finish(ref json, clock);
    }

    /// <summary>Reply to <c>batch</c> and <c>sequence</c>: the results in the order of the requests.</summary>
    public static void WriteBatch(IBufferWriter<byte> output, ReadOnlySpan<StorageReply> results)
    {
        var json = new Utf8Output(output);
        json.Raw("{\"results\":["u8);
        for (var i = 0; i < results.Length; i++)
        {
            if (i > 0)
                json.Raw(","u8);
            WriteResult(ref json, results[i]);
        }

        json.Raw("]}"u8);
        json.Complete();
    }

    /// <summary>Reply to <c>ifelse</c>.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="condition">Whether the condition held.</param>
    /// <param name="height">Block height.</param>
    /// <param name="hardFork">Hard fork in force.</param>
    /// <param name="result">Result of the chosen branch; null if that branch is absent.</param>
    public static void WriteIfElse(IBufferWriter<byte> output, bool condition, long height, HardFork hardFork, StorageReply? result)
    {
        var json = new Utf8Output(output);
        json.Raw("{\"condition\":"u8);
        json.Boolean(condition);
        json.Raw(",\"height\":"u8);
        json.Number(height);
        json.Raw(",\"hf\":"u8);
        json.HardFork(hardFork);
        if (result is { } reply)
        {
            json.Raw(",\"result\":"u8);
            WriteResult(ref json, reply);
        }

        json.Raw(",\"v\":"u8);
        json.Version();
        json.Raw("}"u8);
        json.Complete();
    }

    private static void WriteResult(ref Utf8Output json, in StorageReply reply)
    {
        json.Raw("{\"body\":"u8);
        if (reply.IsJson)
            json.Raw(reply.Body.Span);
        else
            json.Text(reply.Body.Span);
        json.Raw(",\"code\":"u8);
        json.Number(reply.Status);
        json.Raw("}"u8);
    }

    private static void Finish(ref Utf8Output json, in ServerClock clock)
    {
        json.Raw(",\"t\":"u8);
        json.Number(clock.NowMs);
        json.Raw("}"u8);
        json.Complete();
    }
}
