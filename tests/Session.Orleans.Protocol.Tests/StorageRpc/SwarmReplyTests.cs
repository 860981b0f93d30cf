using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

public sealed class SwarmReplyTests
{
    private static readonly ServerClock Clock = new(1_750_000_000_000, new(19, 4));
    private static readonly Ed25519KeyPair[] Nodes =
    [
        .. Vectors.Load("keys.json").GetProperty("nodes").EnumerateArray().Select(static node => new Ed25519KeyPair(node.Hex("ed25519_seed"))),
    ];

    public static TheoryData<int> VectorIndices =>
        [.. Enumerable.Range(0, Vectors.Load("storage_replies.json").GetProperty("vectors").GetArrayLength())];

    [Theory, MemberData(nameof(VectorIndices))]
    public void Entry_OfVector_IsEqualByteForByte(int index)
    {
        var vector = Vectors.Load("storage_replies.json").GetProperty("vectors")[index];
        var node = new Ed25519KeyPair(vector.Hex("node_ed25519_seed"));
        var entry = vector.GetProperty("entry");
        var signed = Encoding.Latin1.GetString(vector.Hex("signed_hex"));

        var reply = WriteVector(vector.Text("method"), entry, signed, [new(node)]);

        // Members of the vectors' entries are not sorted; the reply's are.
        Assert.Equal(
            "{\"hf\":[19,4],\"swarm\":{\"" + vector.Text("node_pubkey_ed25519") + "\":" + Sorted(entry) + "},\"t\":1750000000000}", reply);
        Assert.True(Protocol.Cryptography.Ed25519.Verify(node.PublicKey.AsSpan(), vector.Hex("signed_hex"), entry.Base64("signature")));
    }

    [Fact]
    public void Store_ByThreeMembers_HasOwnAndForeignMarks()
    {
        var hash = Hash("PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBCo");
        var members = new SwarmMember[] { new(Nodes[0]), new(Nodes[1], IsOwn: true), new(Nodes[2], Failure: MemberFailure.Timeout) };

        using var reply = JsonDocument.Parse(Write(output => SwarmReplies.WriteStore(output, members, new(hash, 1_750_003_600_000, true), Clock)));

        Assert.Equal(["hash", "hf", "swarm", "t"], reply.RootElement.EnumerateObject().Select(static member => member.Name));
        var swarm = reply.RootElement.GetProperty("swarm");
        Assert.Equal(
            members.Select(static member => member.Keys.PublicKey.ToString()).Order(StringComparer.Ordinal),
            swarm.EnumerateObject().Select(static member => member.Name));
        var own = swarm.GetProperty(Nodes[1].PublicKey.ToString());
        Assert.Equal(["already", "expiry", "hash", "signature", "t"], own.EnumerateObject().Select(static member => member.Name));
        Assert.Equal(JsonValueKind.True, own.GetProperty("already").ValueKind);
        Assert.Equal(Clock.NowMs, own.GetProperty("t").GetInt64());
        var other = swarm.GetProperty(Nodes[0].PublicKey.ToString());
        Assert.Equal(["already", "expiry", "hash", "signature"], other.EnumerateObject().Select(static member => member.Name));
        Assert.Equal("1", other.GetProperty("already").GetRawText());
        Assert.Equal("""{"failed":true,"timeout":true}""", swarm.GetProperty(Nodes[2].PublicKey.ToString()).GetRawText());
    }

    [Fact]
    public void Store_OwnDatabaseFull_HasNoHashAtTheTop()
    {
        var members = new SwarmMember[] { new(Nodes[0], IsOwn: true, MemberFailure.QueryFailure()), new(Nodes[1]) };

        using var reply = JsonDocument.Parse(Write(output => SwarmReplies.WriteStore(output, members, default, Clock)));

        Assert.False(reply.RootElement.TryGetProperty("hash", out _));
        Assert.Equal(
            """{"failed":true,"query_failure":true}""",
            reply.RootElement.GetProperty("swarm").GetProperty(Nodes[0].PublicKey.ToString()).GetRawText());
        Assert.False(reply.RootElement.GetProperty("swarm").GetProperty(Nodes[1].PublicKey.ToString()).TryGetProperty("already", out _));
    }

    [Fact]
    public void FailedEntries_AreWrittenAsSpecified()
    {
        var members = new SwarmMember[]
        {
            new(Nodes[0], Failure: MemberFailure.Error(new(421, "{\"snodes\":[],\"x\":\"😀\"}"))),
            new(Nodes[1], Failure: MemberFailure.BadResponse),
            new(Nodes[2], Failure: MemberFailure.QueryFailure()),
            new(Nodes[3], Failure: MemberFailure.QueryFailure("full")),
        };

        using var reply = JsonDocument.Parse(Write(output => SwarmReplies.WriteStore(output, members, default, Clock)));

        var swarm = reply.RootElement.GetProperty("swarm");
        string Entry(int node) => swarm.GetProperty(Nodes[node].PublicKey.ToString()).GetRawText();
        Assert.Equal("""{"code":"421","failed":true,"reason":"{\"snodes\":[],\"x\":\"😀\"}"}""", Entry(0));
        Assert.Equal("""{"bad_peer_response":true,"failed":true}""", Entry(1));
        Assert.Equal("""{"failed":1,"query_failure":1}""", Entry(2));
        Assert.Equal("""{"failed":1,"query_failure":1,"reason":"full"}""", Entry(3));
    }

    [Theory]
    [InlineData(true, 0, false, 404)]
    [InlineData(true, 1, false, 200)]
    [InlineData(true, 1, true, 404)]
    [InlineData(false, 0, false, 200)]
    public void Delete_Required_DecidesTheStatus(bool required, int found, bool allFailed, int status)
    {
        var hash = Hash("PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBCo");
        var request = new DeleteRequest { Account = Nodes[0].SessionId, Messages = [new(hash)], Required = required };
        SwarmMember[] members = [new(Nodes[0], true, allFailed ? MemberFailure.Timeout : default)];
        var deleted = Enumerable.Repeat(hash, found).ToArray();
        Assert.Equal(status, SwarmReplies.WriteDelete(new ArrayBufferWriter<byte>(), members, request, deleted, Clock));
    }

    [Fact]
    public void Expire_NothingUpdated_StillReportsTheClampedExpiry()
    {
        var request = new ExpireRequest
        {
            Account = Nodes[0].SessionId,
            Messages = [new(Hash("PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBCo"))],
            Expiries = [Clock.NowMs + StorageLimits.MaxTtlMs + 5],
            Extend = true,
        };
        using var reply = JsonDocument.Parse(Write(output => SwarmReplies.WriteExpire(output, [new(Nodes[0])], request, [], [], Clock)));
        var entry = reply.RootElement.GetProperty("swarm").GetProperty(Nodes[0].PublicKey.ToString());
        Assert.Equal(1_752_592_000_000, entry.GetProperty("expiry").GetInt64());
        Assert.Equal("{}", entry.GetProperty("unchanged").GetRawText());
        Assert.Equal("[]", entry.GetProperty("updated").GetRawText());
    }

    [Fact]
    public void Expire_SeveralExpiriesNothingUpdated_ReportsAnEmptyList()
    {
        var hash = new MessageHashText(Hash("PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBCo"));
        var request = new ExpireRequest { Account = Nodes[0].SessionId, Messages = [hash, hash], Expiries = [Clock.NowMs, Clock.NowMs] };
        using var reply = JsonDocument.Parse(Write(output => SwarmReplies.WriteExpire(output, [new(Nodes[0])], request, [], [], Clock)));
        var entry = reply.RootElement.GetProperty("swarm").GetProperty(Nodes[0].PublicKey.ToString());
        Assert.Equal("[]", entry.GetProperty("expiry").GetRawText());
        Assert.False(entry.TryGetProperty("unchanged", out _));
    }

    private static string WriteVector(string method, JsonElement entry, string signed, SwarmMember[] members)
    {
        // The signed text begins with the account and the time; what follows up to the results are the requested hashes.
        var account = method == "store" ? default : AccountId.Parse(signed.AsSpan(0, AccountId.HexLength));
        var rest = method == "store" ? "" : signed[AccountId.HexLength..];
        switch (method)
        {
            case "store":
                return Write(output => SwarmReplies.WriteStore(
                    output, members, new(Hash(entry.Text("hash")), entry.GetProperty("expiry").GetInt64(), false), Clock));
            case "delete":
            {
                var deleted = Hashes(entry.GetProperty("deleted"));
                var request = new DeleteRequest { Account = account, Messages = Texts(rest[..^(deleted.Length * 43)]) };
                return Write(output => SwarmReplies.WriteDelete(output, members, request, [.. deleted.Reverse()], Clock));
            }

            case "delete_all":
            case "delete_before":
            case "expire_all":
            {
                var time = long.Parse(rest[..13], CultureInfo.InvariantCulture);
                var list = entry.GetProperty(method == "expire_all" ? "updated" : "deleted");
                var isAll = list.ValueKind is JsonValueKind.Object;
                var selector = isAll ? NamespaceSelector.All : NamespaceSelector.Of(5);
                var hashes = isAll
                    ? list.EnumerateObject().SelectMany(static group =>
                        Hashes(group.Value).Select(hash => new NamespacedHash(short.Parse(group.Name, CultureInfo.InvariantCulture), hash)))
                    : Hashes(list).Select(static hash => new NamespacedHash(5, hash));
                NamespacedHash[] shuffled = [.. hashes.Reverse()];
                return Write(output =>
                {
                    if (method == "delete_all")
                        SwarmReplies.WriteDeleteAll(output, members, new() { Account = account, Timestamp = time, Namespace = selector }, shuffled, Clock);
                    else if (method == "delete_before")
                        SwarmReplies.WriteDeleteBefore(output, members, new() { Account = account, Before = time, Namespace = selector }, shuffled, Clock);
                    else
                        SwarmReplies.WriteExpireAll(output, members, new() { Account = account, Expiry = time, Namespace = selector }, shuffled, Clock);
                });
            }

            case "expire":
            {
                var expiry = entry.GetProperty("expiry");
                var several = expiry.ValueKind is JsonValueKind.Array;
                var updated = Hashes(entry.GetProperty("updated"));
                var times = several ? expiry.EnumerateArray().Select(static time => time.GetInt64()).ToArray() : [expiry.GetInt64()];
                HashExpiry[] changed = [.. updated.Select((hash, i) => new HashExpiry(hash, times[several ? i : 0]))];
                HashExpiry[] kept = entry.TryGetProperty("unchanged", out var unchanged)
                    ? [.. unchanged.EnumerateObject().Select(static member => new HashExpiry(Hash(member.Name), member.Value.GetInt64()))]
                    : [];
                var requested = rest[(13 * times.Length)..^((updated.Length * 43) + (kept.Length * (43 + 13)))];
                var messages = Texts(requested);
                var request = new ExpireRequest
                {
                    Account = account,
                    Messages = messages,
                    Expiries = [.. Enumerable.Repeat(times[0], several ? messages.Length : 1)],
                    Extend = entry.TryGetProperty("unchanged", out _),
                };
                return Write(output => SwarmReplies.WriteExpire(output, members, request, [.. changed.Reverse()], kept, Clock));
            }

            default:
            {
                var time = long.Parse(rest[..13], CultureInfo.InvariantCulture);
                var bytes = Encoding.Latin1.GetBytes(rest[13..]);
                ImmutableArray<SubaccountToken> tokens = [.. bytes.Chunk(SubaccountToken.Length).Select(static token => new SubaccountToken(token))];
                return Write(output =>
                {
                    if (method == "revoke_subaccount")
                        SwarmReplies.WriteRevoke(output, members, new() { Account = account, Timestamp = time, Tokens = tokens }, Clock);
                    else
                        SwarmReplies.WriteUnrevoke(
                            output, members, new() { Account = account, Timestamp = time, Tokens = tokens }, entry.GetProperty("count").GetInt32(), Clock);
                });
            }
        }
    }

    private static string Sorted(JsonElement element) => element.ValueKind is JsonValueKind.Object
        ? "{" + string.Join(',', element.EnumerateObject().OrderBy(static member => member.Name, StringComparer.Ordinal)
            .Select(static member => $"\"{member.Name}\":{Sorted(member.Value)}")) + "}"
        : element.ValueKind is JsonValueKind.Array ? "[" + string.Join(',', element.EnumerateArray().Select(Sorted)) + "]"
        : element.GetRawText();

    private static MessageHash Hash(string text) =>
        MessageHash.TryParse(Encoding.ASCII.GetBytes(text), out var hash) ? hash : throw new FormatException(text);

    private static MessageHash[] Hashes(JsonElement list) => [.. list.EnumerateArray().Select(static hash => Hash(hash.GetString()!))];

    private static ImmutableArray<MessageHashText> Texts(string joined) =>
        [.. Encoding.ASCII.GetBytes(joined).Chunk(43).Select(static text => new MessageHashText(text))];

    private static string Write(Action<ArrayBufferWriter<byte>> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        write(buffer);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
