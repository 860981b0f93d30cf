using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Requests that came to a node of another swarm.</summary>
[Section("storage-rpc.md", "4")]
public sealed class WrongSwarmRules(Networks networks) : RuleSet(networks)
{
    [Theory]
    [Everywhere("store")]
    [Everywhere("retrieve")]
    [Everywhere("get_expiries")]
    [Everywhere("delete")]
    [Everywhere("delete_all")]
    [Everywhere("delete_before")]
    [Everywhere("expire")]
    [Everywhere("expire_all")]
    [Everywhere("revoke_subaccount")]
    [Everywhere("unrevoke_subaccount")]
    public async Task EveryMethodWithAPubkey_Is421WithTheBodyOfGetSwarm_BeforeTimeAndSignature(Store store, Transport via, string method)
    {
        var mailbox = await MailboxAsync(store, via);
        var swarm = await mailbox.CallOkAsync("get_swarm", mailbox.Anonymous());
        string[] hashes = [mailbox.Account.HashOf("x"u8)];
        // Neither the time nor the signature is right.
        const long Long = 1_000_000_000_000;
        JsonObject parameters = method switch
        {
            "store" => mailbox.StoreOf("x"u8, 1, timestamp: Long),
            "retrieve" => mailbox.RetrieveOf(timestamp: Long),
            "get_expiries" => mailbox.GetExpiriesOf(hashes, Long),
            "delete" => mailbox.DeleteOf(hashes),
            "expire" => mailbox.ExpireOf(hashes, "", Long),
            "revoke_subaccount" or "unrevoke_subaccount" => mailbox.RevocationOf(method, [new byte[36]], Long),
            _ => mailbox.AllOf(method, Long),
        };

        var refusal = await mailbox.CallAsync(method, parameters.With("signature", mailbox.Account.Sign("nothing")), mailbox.Stranger);

        var body = refusal.ShouldBeJson(421);
        refusal.Should(body.Names().SequenceEqual(["hf", "snodes", "swarm", "t"]), "the members of get_swarm");
        foreach (var name in (string[])["hf", "snodes", "swarm"])
            refusal.Should(JsonElement.DeepEquals(swarm.GetProperty(name), body.GetProperty(name)), $"'{name}' as in get_swarm: {swarm.GetProperty(name)}");
    }

    [Theory, Everywhere]
    public async Task GetSwarm_IsAnsweredByAnyNode(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.CallOkAsync("get_swarm", mailbox.Anonymous(), mailbox.Stranger);
    }

    [Theory, Everywhere]
    public async Task WrongSwarm_InABatch_IsTheSubresultsCode(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var batch = new JsonObject { ["requests"] = new JsonArray(new JsonObject { ["method"] = "store", ["params"] = mailbox.StoreOf("x") }) };

        var result = (await mailbox.CallOkAsync("batch", batch, mailbox.Stranger)).GetProperty("results")[0];

        Assert.Equal(421, result.GetProperty("code").GetInt32());
        Assert.Equal(mailbox.Swarm.Count, result.GetProperty("body").GetProperty("snodes").GetArrayLength());
    }
}

/// <summary>Which swarm an account belongs to.</summary>
[Section("network.md", "3")]
public sealed class MappingRules(Networks networks) : RuleSet(networks)
{
    [Fact]
    public void TheSuitesOwnMapping_AgreesWithTheRecordedOne()
    {
        var vectors = JsonElement.Parse(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, "vectors", "swarm_mapping.json")));
        var tables = vectors.GetProperty("tables").EnumerateObject()
            .ToDictionary(table => table.Name, table => table.Value.EnumerateArray().Select(id => Convert.ToUInt64(id.GetString(), 16)).Order().ToArray());
        var compared = 0;
        foreach (var account in vectors.GetProperty("vectors").EnumerateArray())
        {
            var key = Convert.FromHexString(account.GetProperty("pubkey").GetString()!).AsSpan(1);
            foreach (var swarm in account.GetProperty("swarm").EnumerateObject().Where(swarm => swarm.Value.ValueKind is JsonValueKind.String))
            {
                Assert.Equal(Convert.ToUInt64(swarm.Value.GetString(), 16), Network.SwarmIdOf(key, tables[swarm.Name]));
                compared++;
            }
        }

        Assert.True(compared > 50);
    }

    [Theory, OnEveryStore]
    public async Task RandomAccounts_MapToTheNearestSwarm(Store store)
    {
        var network = await NetworkAsync(store);
        for (var i = 0; i < 50; i++)
        {
            var key = new byte[32];
            Random.Shared.NextBytes(key);
            await AssertMapsAsync(network, key);
        }
    }

    [Theory, OnEveryStore]
    public async Task AccountsAroundEverySwarm_MapByDistanceAndTiesGoDown(Store store)
    {
        var network = await NetworkAsync(store);
        ulong[] ids = [.. network.Nodes.Select(node => node.SwarmId).Where(id => id != ulong.MaxValue).Distinct().Order()];
        for (var i = 0; i < ids.Length; i++)
        {
            var gap = unchecked(ids[(i + 1) % ids.Length] - ids[i]);
            var middle = unchecked(ids[i] + (gap / 2)); // the same distance to both if the gap is even
            foreach (var position in (ulong[])[ids[i], unchecked(ids[i] + 1), unchecked(ids[i] - 1), unchecked(middle - 1), middle, unchecked(middle + 1)])
                await AssertMapsAsync(network, KeyAt(position));
        }
    }

    [Theory]
    [OnEveryStore(0UL)]
    [OnEveryStore(ulong.MaxValue)]
    [OnEveryStore(ulong.MaxValue - 1)]
    [OnEveryStore(1UL << 63)]
    public async Task AccountsAtTheSeamOfTheRing_MapAcrossIt(Store store, ulong position) => await AssertMapsAsync(await NetworkAsync(store), KeyAt(position));

    [Theory, OnEveryStore]
    public async Task Prefix_PlaysNoPart(Store store)
    {
        var network = await NetworkAsync(store);
        var key = KeyAt(0x0123456789abcdef);
        var swarms = new HashSet<string>();
        foreach (var prefix in (string[])["00", "03", "05", "ff"])
            swarms.Add((await SwarmAsync(network, prefix + Convert.ToHexString(key))).GetProperty("swarm").GetString()!);

        Assert.Single(swarms);
    }

    private static byte[] KeyAt(ulong position)
    {
        // The four words are combined with exclusive or, in big-endian order.
        var key = new byte[32];
        Random.Shared.NextBytes(key.AsSpan(0, 24));
        var rest = BinaryPrimitives.ReadUInt64BigEndian(key) ^ BinaryPrimitives.ReadUInt64BigEndian(key.AsSpan(8)) ^ BinaryPrimitives.ReadUInt64BigEndian(key.AsSpan(16));
        BinaryPrimitives.WriteUInt64BigEndian(key.AsSpan(24), rest ^ position);
        return key;
    }

    private static async Task AssertMapsAsync(Network network, byte[] key)
    {
        var expected = network.SwarmOf(key);
        var reply = await SwarmAsync(network, "05" + Convert.ToHexStringLower(key));
        Assert.Equal(expected[0].SwarmId.ToString("x", CultureInfo.InvariantCulture), reply.GetProperty("swarm").GetString());
        Assert.Equal(Text.Sorted(expected.Select(node => node.Ed25519Hex)),
            Text.Sorted(reply.GetProperty("snodes").EnumerateArray().Select(node => node.GetProperty("pubkey_ed25519").GetString()!)));
    }

    private static async Task<JsonElement> SwarmAsync(Network network, string pubkey) =>
        (await network.SendAsync(network.Nodes[0], Transport.Direct, Mailbox.Request("get_swarm", new() { ["pubkey"] = pubkey }))).ShouldBeJson();
}

/// <summary>The rules of the namespaces.</summary>
[Section("storage-rpc.md", "5")]
public sealed class NamespaceRules(Networks networks) : RuleSet(networks)
{
    [Theory]
    [Everywhere(0, true)]
    [Everywhere(10, true)]
    [Everywhere(-10, true)]
    [Everywhere(20, true)]
    [Everywhere(-20, true)]
    [Everywhere(40, true)]
    [Everywhere(32_760, true)]
    [Everywhere(-32_760, true)]
    [Everywhere(1, false)]
    [Everywhere(2, false)]
    [Everywhere(3, false)]
    [Everywhere(4, false)]
    [Everywhere(5, false)]
    [Everywhere(11, false)]
    [Everywhere(12, false)]
    [Everywhere(13, false)]
    [Everywhere(14, false)]
    [Everywhere(21, false)]
    [Everywhere(-1, false)]
    [Everywhere(-11, false)]
    [Everywhere(-21, false)]
    [Everywhere(-42, false)]
    [Everywhere(-111, false)]
    public async Task Store_WithoutASignature_IsForPublicInboxesAlone(Store store, Transport via, int @namespace, bool isAllowed)
    {
        var mailbox = await MailboxAsync(store, via);
        var answer = await mailbox.CallAsync("store", mailbox.StoreOf("x", @namespace).Without("signature").Without("pubkey_ed25519"));

        if (isAllowed)
            Assert.Equal(mailbox.Account.HashOf("x"u8, @namespace), answer.ShouldBeJson().GetProperty("hash").GetString());
        else
            answer.ShouldBe(401, $"store: signature required to store to namespace {@namespace}");
        await mailbox.StoreAsync("signed", @namespace);
    }

    [Theory]
    [Everywhere(-10, true)]
    [Everywhere(-1, true)]
    [Everywhere(-21, true)]
    [Everywhere(-41, true)]
    [Everywhere(-981, true)]
    [Everywhere(0, false)]
    [Everywhere(1, false)]
    [Everywhere(10, false)]
    [Everywhere(-20, false)]
    [Everywhere(-30, false)]
    [Everywhere(-11, false)]
    [Everywhere(-31, false)]
    [Everywhere(-111, false)]
    [Everywhere(21, false)]
    [Everywhere(40, false)]
    public async Task Retrieve_WithoutASignature_IsForOutboxesAndLegacyGroups(Store store, Transport via, int @namespace, bool isAllowed)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("x", @namespace);

        var answer = await mailbox.CallAsync("retrieve", mailbox.Anonymous().With("namespace", @namespace));
        if (isAllowed)
            Assert.Equal(hash, answer.ShouldBeJson().GetProperty("messages")[0].GetProperty("hash").GetString());
        else
            answer.ShouldBeInvalid("Required field 'signature' missing");
        Assert.Equal([hash], await mailbox.HashesAsync(@namespace));
    }

    [Theory]
    [Everywhere(0, 14)]
    [Everywhere(-10, 14)]
    [Everywhere(40, 14)]
    [Everywhere(1, 30)]
    [Everywhere(-1, 30)]
    [Everywhere(-11, 30)]
    [Everywhere(-42, 30)]
    public async Task Lifetime_Maximum_DependsOnTheNamespace(Store store, Transport via, int @namespace, int days)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.StoreAsync(mailbox.StoreOf("x"u8, @namespace, ttl: days * Mailbox.Day));
        (await mailbox.CallAsync("store", mailbox.StoreOf("y"u8, @namespace, ttl: (days * Mailbox.Day) + 1))).ShouldBe(403, "Provided expiry/TTL is not valid.");
    }

    [Theory]
    [Everywhere(-1)]
    [Everywhere(-21)]
    [Everywhere(-981)]
    public async Task PublicOutbox_KeepsOneMessage(Store store, Transport via, int @namespace)
    {
        var mailbox = await MailboxAsync(store, via);
        await mailbox.StoreAsync("first", @namespace);
        await mailbox.StoreAsync("elsewhere", 1);
        var second = await mailbox.StoreAsync("second", @namespace);
        Assert.Equal([second], await mailbox.HashesAsync(@namespace));

        Assert.Equal(second, await mailbox.StoreAsync("second", @namespace)); // a duplicate is kept
        Assert.Equal([second], await mailbox.HashesAsync(@namespace));
        Assert.Equal([mailbox.Account.HashOf("elsewhere"u8, 1)], await mailbox.HashesAsync(1));
    }

    [Theory]
    [Everywhere(-11)]
    [Everywhere(-10)]
    [Everywhere(-20)]
    [Everywhere(1)]
    [Everywhere(21)]
    public async Task OtherNamespaces_KeepEveryMessage(Store store, Transport via, int @namespace)
    {
        var mailbox = await MailboxAsync(store, via);
        var first = await mailbox.StoreAsync("first", @namespace);
        var second = await mailbox.StoreAsync("second", @namespace);

        Assert.Equal([first, second], await mailbox.HashesAsync(@namespace));
    }

    [Theory, Everywhere]
    public async Task Namespaces_AreSeparateMailboxes(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        int[] all = [0, 1, 10, -10, -1, -11, 32_767, -32_768];
        foreach (var @namespace in all)
            await mailbox.StoreAsync("x", @namespace);

        foreach (var @namespace in all)
            Assert.Equal([mailbox.Account.HashOf("x"u8, @namespace)], await mailbox.HashesAsync(@namespace));
    }

    [Theory, Everywhere]
    public async Task Namespace0_IsTheDefaultAndEmptyInSignedTexts(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync(mailbox.StoreOf("x").Without("namespace"));
        var time = mailbox.Now;
        var retrieve = mailbox.RetrieveOf(timestamp: time);

        await mailbox.CallOkAsync("retrieve", retrieve.Without("namespace"));
        Assert.Equal([hash], await mailbox.HashesAsync());
        (await mailbox.CallAsync("retrieve", retrieve.With("namespace", 0).With("signature", mailbox.Account.Sign($"retrieve0{Text.Number(time)}"))))
            .ShouldBe(401, "retrieve signature verification failed");
    }
}

/// <summary>Members that many replies have.</summary>
[Section("storage-rpc.md", "6")]
public sealed class CommonMemberRules(Networks networks) : RuleSet(networks)
{
    [Theory]
    [Everywhere("info")]
    [Everywhere("get_swarm")]
    [Everywhere("oxend_request")]
    [Everywhere("store")]
    [Everywhere("retrieve")]
    [Everywhere("delete")]
    [Everywhere("delete_all")]
    [Everywhere("delete_before")]
    [Everywhere("expire")]
    [Everywhere("expire_all")]
    [Everywhere("revoke_subaccount")]
    [Everywhere("unrevoke_subaccount")]
    public async Task TAndHf_AreThere(Store store, Transport via, string method)
    {
        var mailbox = await MailboxAsync(store, via);
        var answer = await CallAsync(mailbox, method);
        var json = answer.ShouldBeJson();

        answer.Should(json.TryGetProperty("t", out var t) && t.TryGetInt64(out var time) && Math.Abs(time - mailbox.Now) < 30_000, "'t': the server's time in milliseconds");
        answer.Should(json.TryGetProperty("hf", out var hf) && hf.ValueKind is JsonValueKind.Array && hf.GetArrayLength() == 2
            && (hf[0].GetInt32(), hf[1].GetInt32()) == mailbox.Network.HardFork, "'hf': [hard fork, revision]");
    }

    [Theory]
    [Everywhere("get_expiries")]
    [Everywhere("batch")]
    [Everywhere("sequence")]
    public async Task TAndHf_AreAbsent(Store store, Transport via, string method)
    {
        var answer = await CallAsync(await MailboxAsync(store, via), method);

        answer.Should(!answer.ShouldBeJson().Names().Intersect(["t", "hf"]).Any(), "neither 't' nor 'hf'");
    }

    [Theory, Everywhere]
    public async Task Ifelse_HasHfButNoT(Store store, Transport via)
    {
        var answer = await (await MailboxAsync(store, via)).SendAsync("""{"method":"ifelse","params":{"if":{"height_at_least":0},"then":{"method":"info","params":{}}}}""");

        answer.Should(answer.ShouldBeJson().Names().Intersect(["t", "hf"]).SequenceEqual(["hf"]), "'hf' and no 't'");
    }

    private static Task<Answer> CallAsync(Mailbox mailbox, string method)
    {
        string[] hashes = [mailbox.Account.HashOf("x"u8)];
        return mailbox.CallAsync(method, method switch
        {
            "info" => [],
            "get_swarm" => mailbox.Anonymous(),
            "oxend_request" => new() { ["endpoint"] = "get_service_nodes", ["params"] = new JsonObject { ["limit"] = 1 } },
            "batch" or "sequence" => new() { ["requests"] = new JsonArray(new JsonObject { ["method"] = "info", ["params"] = new JsonObject() }) },
            "store" => mailbox.StoreOf("x"),
            "retrieve" => mailbox.RetrieveOf(),
            "get_expiries" => mailbox.GetExpiriesOf(hashes),
            "delete" => mailbox.DeleteOf(hashes),
            "expire" => mailbox.ExpireOf(hashes, "", mailbox.Now + Mailbox.Hour),
            "revoke_subaccount" or "unrevoke_subaccount" => mailbox.RevocationOf(method, [new byte[36]]),
            _ => mailbox.AllOf(method, mailbox.Now),
        });
    }
}

/// <summary>Replies of methods that every member of the swarm executes; the methods' own groups check what the entries hold.</summary>
[Section("storage-rpc.md", "7")]
public sealed class SwarmWideRules(Networks networks) : RuleSet(networks)
{
    [Theory, Everywhere]
    public async Task EveryMember_HasTheMessageAfterwards(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("for all");

        foreach (var member in mailbox.Swarm)
        {
            var messages = (await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf(), member)).GetProperty("messages");
            Assert.Equal(hash, Assert.Single(messages.EnumerateArray()).GetProperty("hash").GetString());
        }
    }

    [Theory, Everywhere]
    public async Task Booleans_InEntriesOfOtherMembers_ReadOne(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var parameters = mailbox.StoreOf("x");
        await mailbox.StoreAsync(parameters);

        var answer = await mailbox.CallAsync("store", parameters);

        foreach (var entry in answer.ShouldBeJson().GetProperty("swarm").EnumerateObject())
        {
            var expected = entry.Name == mailbox.Node.Ed25519Hex ? "true" : "1";
            answer.Should(entry.Value.GetProperty("already").GetRawText() == expected, $"\"already\":{expected} in the entry of {entry.Name}");
        }
    }

    [Theory, Everywhere]
    public async Task Error_IsAnsweredAtOnceWithoutEntries(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("delete_all", mailbox.AllOf("delete_all", mailbox.Now - (75 * Mailbox.Second))))
            .ShouldBe(406, "delete_all timestamp too far from current time");
    }
}
