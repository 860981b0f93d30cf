using System.Buffers;
using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

public sealed class ReplyTests
{
    private static readonly ServerClock Clock = new(1_750_000_000_000, new(19, 4));

    [Theory]
    [InlineData(null, null, 1_560_000)]
    [InlineData(0, 0, 1_560_000)]
    [InlineData(-3, null, 1_560_000)]
    [InlineData(5, null, 7_800_000)]
    [InlineData(5, 0, 7_800_000)]
    [InlineData(null, 8_000_000, 7_800_000)]
    [InlineData(null, 1000, 1000)]
    [InlineData(5, 1000, 1000)]
    [InlineData(null, -1, 7_800_000)]
    [InlineData(null, -7, 1_114_285)]
    [InlineData(null, int.MinValue, 0)]
    public void RetrievePage_EffectiveMaxSize_IsAsSpecified(int? maxCount, int? maxSize, long effective) =>
        Assert.Equal(effective, RetrievePage.EffectiveMaxSize(maxCount, maxSize));

    [Theory]
    [InlineData(null, null, 16)]
    [InlineData(null, -3, 27)]
    [InlineData(null, -1, 83)]
    [InlineData(null, 1, 1)]
    [InlineData(null, 93476, 1)]
    [InlineData(null, 186951, 1)]
    [InlineData(null, 186952, 2)]
    [InlineData(20, null, 20)]
    [InlineData(1, null, 1)]
    [InlineData(99, null, 83)]
    public void RetrievePage_OfLargeMessages_HoldsAsManyAsSpecified(int? maxCount, int? maxSize, int expected)
    {
        Assert.Equal(93476, RetrievePage.SizeOf(70000));
        var page = new RetrievePage(maxCount, maxSize);
        while (page.TryAdd(70000))
        {
        }

        Assert.Equal(expected, page.Count);
    }

    [Fact]
    public void Retrieve_Reply_IsCompactAndSorted()
    {
        var account = new AccountId(5, default);
        var hash = MessageHash.Compute(account, 0, "a"u8);
        Assert.Equal("""{"hf":[19,4],"messages":[],"more":false,"t":1750000000000}""", Write(static output => StorageReplies.WriteRetrieve(output, [], false, Clock)));
        var message = new RetrievedMessage(hash, 1, 2, new byte[] { 0xfb, 0xff });
        Assert.Equal(
            $$$"""{"hf":[19,4],"messages":[{"data":"+/8=","expiration":2,"hash":"{{{hash}}}","timestamp":1},{"data":"","expiration":2,"hash":"{{{hash}}}","timestamp":-1}],"more":true,"t":1750000000000}""",
            Write(output => StorageReplies.WriteRetrieve(output, [message, message with { Data = default, Timestamp = -1 }], true, Clock)));
    }

    [Fact]
    public void Retrieve_LargeReply_IsWrittenAcrossBuffers()
    {
        var data = Enumerable.Range(0, 70000).Select(static i => (byte)i).ToArray();
        var messages = Enumerable.Range(0, 20).Select(i => new RetrievedMessage(new(new Bytes32(new byte[32])), i, i, data)).ToArray();
        using var reply = System.Text.Json.JsonDocument.Parse(Write(output => StorageReplies.WriteRetrieve(output, messages, true, Clock)));
        var written = reply.RootElement.GetProperty("messages").EnumerateArray().ToList();
        Assert.Equal(20, written.Count);
        Assert.All(written, message => Assert.Equal(data, message.Base64("data")));
    }

    [Fact]
    public void Expiries_Reply_IsSortedByHash()
    {
        var hashes = Enumerable.Range(0, 50).Select(static i => MessageHash.Compute(default, 0, [(byte)i])).ToArray();
        var expected = hashes.Select(static hash => hash.ToString()).Order(StringComparer.Ordinal).Select(static hash => $"\"{hash}\":7");
        Assert.Equal(
            "{\"expiries\":{" + string.Join(',', expected) + "}}",
            Write(output => StorageReplies.WriteExpiries(output, hashes.Select(static hash => new HashExpiry(hash, 7)).ToArray())));
        Assert.Equal("""{"expiries":{}}""", Write(static output => StorageReplies.WriteExpiries(output, [])));
    }

    [Fact]
    public void Info_Reply_IsAsSpecified() => Assert.Equal(
        """{"hf":[19,4],"t":1750000000000,"timestamp":1750000000000,"version":[2,8,0]}""",
        Write(static output => StorageReplies.WriteInfo(output, Clock)));

    [Fact]
    public void Swarm_Reply_NamesEveryNode()
    {
        var node = Vectors.Load("keys.json").GetProperty("nodes")[0];
        var record = new SwarmNode(
            node.Text("address"), "127.0.0.1", 22021, 22020, new(node.Hex("pubkey_legacy")), new(node.Hex("pubkey_ed25519")), new(node.Hex("pubkey_x25519")));
        var text = $$$"""{"address":"{{{node.Text("address")}}}","ip":"127.0.0.1","port":"22021","port_https":22021,"port_omq":22020,"port_quic":22020,"pubkey_ed25519":"{{{node.Text("pubkey_ed25519")}}}","pubkey_legacy":"{{{node.Text("pubkey_legacy")}}}","pubkey_x25519":"{{{node.Text("pubkey_x25519")}}}"}""";
        var nodes = StorageReplies.RenderNodes([record, record]);
        Assert.Equal(
            $$$"""{"hf":[19,4],"snodes":[{{{text}}},{{{text}}}],"swarm":"bfffffffffffffff","t":1750000000000}""",
            Write(output => StorageReplies.WriteSwarm(output, nodes, new(0xbfffffffffffffff), Clock)));
        Assert.Equal(
            """{"hf":[19,4],"snodes":[],"swarm":"ffffffffffffffff","t":1750000000000}""",
            Write(static output => StorageReplies.WriteSwarm(output, [], SwarmId.Unassigned, Clock)));
    }

    [Fact]
    public void Oxend_Reply_HoldsTheResultVerbatim() => Assert.Equal(
        """{"hf":[19,4],"result":{"b": 1},"t":1750000000000}""",
        Write(static output => StorageReplies.WriteOxend(output, """{"b": 1}"""u8, Clock)));

    [Fact]
    public void Batch_Reply_HoldsJsonAndErrorTexts()
    {
        StorageReply[] results = [StorageReply.Json("{}"u8.ToArray()), StorageReply.FromError(new(401, "a \"b\" é😀\n"))];
        Assert.Equal(
            """{"results":[{"body":{},"code":200},{"body":"a \"b\" é😀\n","code":401}]}""", Write(output => StorageReplies.WriteBatch(output, results)));
        Assert.Equal([true, false], results.Select(static result => result.IsSuccess));
    }

    [Fact]
    public void IfElse_Reply_LeavesOutAnAbsentBranch()
    {
        Assert.Equal(
            """{"condition":false,"height":7,"hf":[19,4],"v":[2,8,0]}""",
            Write(static output => StorageReplies.WriteIfElse(output, false, 7, new(19, 4), null)));
        Assert.Equal(
            """{"condition":true,"height":7,"hf":[19,4],"result":{"body":{"x":1},"code":200},"v":[2,8,0]}""",
            Write(static output => StorageReplies.WriteIfElse(output, true, 7, new(19, 4), StorageReply.Json("{\"x\":1}"u8.ToArray()))));
    }

    private static string Write(Action<ArrayBufferWriter<byte>> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        write(buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
