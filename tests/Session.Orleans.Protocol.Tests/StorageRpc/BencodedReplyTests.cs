using System.Buffers;
using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

/// <summary>Replies to bencoded requests (storage-rpc.md, 17): raw signatures and data, 1 and 0 for true and false.</summary>
public sealed class BencodedReplyTests
{
    private static readonly ServerClock Clock = new(1_750_000_000_000, new(19, 4));

    private static readonly Ed25519KeyPair Keys = new(new byte[32]);

    [Fact]
    public void Store_EntriesCarryRawSignatures()
    {
        var other = new Ed25519KeyPair([.. Enumerable.Repeat((byte)1, 32)]);
        var hash = MessageHash.Compute(Keys.SessionId, 0, "x"u8);
        var json = Json(output => SwarmReplies.WriteStore(
            output, [new(Keys, IsOwn: true), new(other), new(new([.. Enumerable.Repeat((byte)2, 32)]), Failure: MemberFailure.Timeout)],
            new(hash, 1_750_086_400_000, Already: true), Clock));

        var text = Encoding.Latin1.GetString(BencodedReplies.FromJson(json));

        Assert.StartsWith($"d4:hash43:{hash}2:hfli19ei4ee5:swarmd", text, StringComparison.Ordinal);
        Assert.EndsWith("e1:ti1750000000000ee", text, StringComparison.Ordinal);
        foreach (var member in new[] { Keys, other })
        {
            var signature = new byte[64];
            member.Sign(Encoding.ASCII.GetBytes(hash.ToString()), signature);
            Assert.Contains($"64:{member.PublicKey}d7:alreadyi1e6:expiryi1750086400000e4:hash43:{hash}9:signature64:{Encoding.Latin1.GetString(signature)}", text, StringComparison.Ordinal);
        }

        Assert.Contains("d6:failedi1e7:timeouti1ee", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Retrieve_DataAreRaw()
    {
        var hash = MessageHash.Compute(Keys.SessionId, 0, [0, 255]);
        var json = Json(output => StorageReplies.WriteRetrieve(output, [new(hash, 1, 2, new byte[] { 0, 255 })], more: false, Clock));
        Assert.Equal(
            $"d2:hfli19ei4ee8:messagesld4:data2:\0\u00ff10:expirationi2e4:hash43:{hash}9:timestampi1eee4:morei0e1:ti1750000000000ee",
            Encoding.Latin1.GetString(BencodedReplies.FromJson(json)));
    }

    [Fact]
    public void Batch_HoldsBencodedBodiesAndTexts()
    {
        var json = Json(output => StorageReplies.WriteBatch(output,
        [
            StorageReply.Json("""{"a":true}"""u8.ToArray()), StorageReply.FromError(new(401, "no \"é")),
        ]));
        Assert.Equal("d7:resultsld4:bodyd1:ai1ee4:codei200eed4:body6:no \"é4:codei401eeee", Encoding.UTF8.GetString(BencodedReplies.FromJson(json)));
    }

    [Fact]
    public void Swarm_IsTheSameInBothForms()
    {
        var nodes = StorageReplies.RenderNodes([new("x.snode", "127.0.0.1", 1, 501, default, Keys.PublicKey, Keys.X25519.PublicKey)]);
        var text = Encoding.UTF8.GetString(BencodedReplies.FromJson(Json(output => StorageReplies.WriteSwarm(output, nodes, new SwarmId(10), Clock))));
        Assert.Equal(
            $"d2:hfli19ei4ee6:snodesld7:address7:x.snode2:ip9:127.0.0.14:port1:110:port_httpsi1e8:port_omqi501e9:port_quici501e"
            + $"14:pubkey_ed2551964:{Keys.PublicKey}13:pubkey_legacy64:{new string('0', 64)}13:pubkey_x2551964:{Keys.X25519.PublicKey}ee5:swarm1:a1:ti1750000000000ee",
            text);
    }

    [Fact]
    public void Oxend_MembersAreSortedAndNullsLeftOut() => Assert.Equal(
        "d6:resultd1:ai18446744073709551615e1:bli-1eeee",
        Encoding.ASCII.GetString(BencodedReplies.FromJson("""{"result":{"b":[-1],"a":18446744073709551615,"c":null}}"""u8.ToArray())));

    private static ReadOnlyMemory<byte> Json(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return output.WrittenMemory;
    }
}
