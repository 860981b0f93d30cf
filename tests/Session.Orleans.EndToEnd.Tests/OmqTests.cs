using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>OxenMQ at the ports that the nodes advertise (storage-rpc.md, 17).</summary>
[Collection(SharedNetwork.Name)]
public sealed class OmqTests(NetworkFixture fixture)
{
    private static readonly byte[] Nothing = "de"u8.ToArray();

    private readonly TestNetwork _network = fixture.Network;

    [Fact]
    public async Task Ports_AreTheAdvertisedOnes()
    {
        var swarm = (await _network.RpcAsync(_network.Nodes[0], "get_swarm", new JsonObject { ["pubkey"] = new TestAccount().Id.ToString() })).Json;
        foreach (var advertised in swarm.GetProperty("snodes").EnumerateArray())
        {
            var node = _network.Nodes.Single(node => node.Ed25519.ToString() == advertised.GetProperty("pubkey_ed25519").GetString());
            Assert.Equal($"tcp://{advertised.GetProperty("ip")}:{advertised.GetProperty("port_omq")}", node.OmqUrl);
        }

        var seed = (await _network.PostAsync(
            new(_network.Process.Seed, "/json_rpc"), """{"method":"get_service_nodes","params":{"fields":["storage_lmq_port","pubkey_ed25519"]}}"""u8.ToArray())).Json;
        foreach (var state in seed.GetProperty("result").GetProperty("service_node_states").EnumerateArray())
        {
            var node = _network.Nodes.Single(node => node.Ed25519.ToString() == state.GetProperty("pubkey_ed25519").GetString());
            Assert.EndsWith($":{state.GetProperty("storage_lmq_port")}", node.OmqUrl, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void EveryNode_AnswersWithItsOwnKey()
    {
        foreach (var node in _network.Nodes)
        {
            using var client = new OmqClient(node);
            Assert.Equal(["HELLO"u8.ToArray()], client.Exchange("HI"u8.ToArray()));
        }
    }

    [Fact]
    public void AnotherNodesKey_GetsNoAnswer()
    {
        using var client = new OmqClient(_network.Nodes[0], keyOf: _network.Nodes[1]);
        Assert.False(client.IsAnswered(TimeSpan.FromSeconds(1), "HI"u8.ToArray()));
    }

    public static TheoryData<string, string> Commands => new()
    {
        { "nonsense|tag", "UNKNOWNCOMMAND|nonsense" },
        { "storage.nonsense|tag", "UNKNOWNCOMMAND|storage.nonsense" },
        { "storage.|tag", "UNKNOWNCOMMAND|storage." },
        { "storage.info", "NO_REPLY_TAG|storage.info" },
        { "sn.ping", "NO_REPLY_TAG|sn.ping" },
        { "sn.ping|tag", "REPLY|tag|pong" },
        { "sn.data|tag|x", "FORBIDDEN_SN|REPLY|tag" },
        { "sn.storage_cc", "FORBIDDEN_SN|sn.storage_cc" },
        { "storage.info|tag|de|de", "REPLY|tag|400|Invalid request: expected 1 message parts, received 2" },
        { "storage.info|tag|le", "REPLY|tag|400|invalid body: expected json or bt_dict" },
        { "storage.info|tag|[]", "REPLY|tag|400|invalid body: expected json or bt_dict" },
        { "storage.get_swarm|tag|", "REPLY|tag|400|invalid request: Required field 'pubkey' missing" },
        { "storage.get_swarm|tag|de", "REPLY|tag|400|invalid request: Required field 'pubkey' missing" },
        { "storage.get_swarm|tag|{}", "REPLY|tag|400|invalid request: Required field 'pubkey' missing" },
        { "monitor.messages|tag", "REPLY|tag|d7:errcodei1e5:error63:Invalid arguments: expected one bencoded dict or a list of theme" },
        { "BYE", "" },
        { "REPLY|tag", "" },
    };

    [Theory, MemberData(nameof(Commands))]
    public void Command_IsAnsweredAsOxenMQDoes(string sent, string answer)
    {
        using var client = new OmqClient(_network.Nodes[0]);
        var parts = sent.Split('|').Select(Encoding.ASCII.GetBytes).ToArray();
        // What wants no answer is followed by a greeting, whose answer comes first then.
        var expected = answer.Length > 0 ? answer : "HELLO";
        if (answer.Length == 0)
            Assert.False(client.IsAnswered(TimeSpan.Zero, parts));
        Assert.Equal(expected, string.Join('|', client.Exchange(answer.Length > 0 ? parts : ["HI"u8.ToArray()]).Select(Encoding.UTF8.GetString)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    public void Json_IsAnsweredInJson(string parameters)
    {
        using var client = new OmqClient(_network.Nodes[0]);
        var reply = JsonElement.Parse(Assert.Single(client.Request("storage.info", Encoding.ASCII.GetBytes(parameters))));
        Assert.Equal("[2,8,0]", reply.GetProperty("version").GetRawText());
    }

    [Fact]
    public async Task Store_Bencoded_IsSignedByEveryMemberAndRetrieved()
    {
        var account = new TestAccount();
        var swarm = await _network.SwarmOfAsync(account.Id);
        var data = new byte[70_000];
        Random.Shared.NextBytes(data);
        var request = account.Store(data, 2);
        using var client = new OmqClient(swarm[0]);

        var (status, stored) = client.Rpc(request);

        Assert.Equal(200, status);
        var reply = (BencodeTree)stored;
        var hash = request.ComputeHash().ToString();
        Assert.Equal(hash, reply.Text("hash"));
        Assert.Equal(swarm.Select(node => node.Ed25519.ToString()).Order(StringComparer.Ordinal), reply.Tree("swarm").Keys);
        Assert.All(reply.Tree("swarm"), member => Assert.True(
            Ed25519.Verify(Convert.FromHexString(member.Key), Encoding.ASCII.GetBytes(hash), ((BencodeTree)member.Value).Raw("signature"))));

        using var other = new OmqClient(swarm[^1]);
        var page = (BencodeTree)other.Rpc(account.Retrieve(2)).Body;
        var message = (BencodeTree)Assert.Single(page.List("messages"));
        Assert.Equal(data, message.Raw("data"));
        Assert.Equal((0L, hash), (page.Number("more"), message.Text("hash")));
    }

    [Fact]
    public async Task EveryMethod_IsAnsweredInBencode()
    {
        var account = new TestAccount();
        using var client = new OmqClient(await _network.MemberForAsync(account.Id));
        var store = account.Store("x"u8.ToArray());
        var hash = new MessageHashText(Encoding.ASCII.GetBytes(store.ComputeHash().ToString()));
        var token = new SubaccountToken(5, SubaccountFlags.Read, account.Keys.PublicKey);
        (StorageRequest Request, string Member)[] requests =
        [
            (store, "swarm"),
            (account.Retrieve(), "messages"),
            (Sign(new GetExpiriesRequest { Account = account.Id, Timestamp = TestNetwork.Now, Messages = [hash] }), "expiries"),
            (Sign(new ExpireRequest { Account = account.Id, Messages = [hash], Expiries = [TestNetwork.Now + 60_000], Shorten = true }), "swarm"),
            (Sign(new ExpireAllRequest { Account = account.Id, Expiry = TestNetwork.Now + 50_000, Namespace = NamespaceSelector.All }), "swarm"),
            (Sign(new DeleteRequest { Account = account.Id, Messages = [hash] }), "swarm"),
            (Sign(new DeleteBeforeRequest { Account = account.Id, Before = TestNetwork.Now }), "swarm"),
            (Sign(new DeleteAllRequest { Account = account.Id, Timestamp = TestNetwork.Now, Namespace = NamespaceSelector.All }), "swarm"),
            (Sign(new RevokeSubaccountRequest { Account = account.Id, Timestamp = TestNetwork.Now, Tokens = [token] }), "swarm"),
            (Sign(new UnrevokeSubaccountRequest { Account = account.Id, Timestamp = TestNetwork.Now, Tokens = [token] }), "swarm"),
            (new GetSwarmRequest { Account = account.Id }, "snodes"),
            (new InfoRequest(), "version"),
            (new OxendRequest { Endpoint = OxendRequest.GetServiceNodes, ParametersJson = """{"limit":2}"""u8.ToArray() }, "result"),
            (new BatchRequest { Requests = [new InfoRequest(), account.Retrieve(5)] }, "results"),
            (new SequenceRequest { Requests = [new InfoRequest()] }, "results"),
            (new IfElseRequest { Condition = new() { HeightAtLeast = 0 }, Then = new InfoRequest() }, "result"),
        ];
        foreach (var (request, member) in requests)
        {
            var (status, body) = client.Rpc(request);
            Assert.True(status == 200, $"{request.Method}: {status} {body}");
            Assert.Contains(member, Assert.IsType<BencodeTree>(body));
        }

        AccountRequest Sign(AccountRequest request) => request.SignWith(account.Keys);
    }

    [Fact]
    public async Task WrongSwarm_Is421WithTheRightOne()
    {
        var account = new TestAccount();
        using var client = new OmqClient(await _network.StrangerForAsync(account.Id));

        var (status, refusal) = client.Rpc(account.Store("x"u8.ToArray()));
        var (_, swarm) = client.Rpc(new GetSwarmRequest { Account = account.Id });

        Assert.Equal(421, status);
        Assert.Equal(((BencodeTree)swarm).Text("swarm"), ((BencodeTree)refusal).Text("swarm"));
        Assert.Equal(((BencodeTree)swarm).List("snodes").Count, ((BencodeTree)refusal).List("snodes").Count);
    }

    [Fact]
    public async Task Refusal_HasCodeAndText()
    {
        var account = new TestAccount();
        using var client = new OmqClient(await _network.MemberForAsync(account.Id));
        Assert.Equal((401, (object)"store: signature required to store to namespace 2"),
            client.Rpc(account.Store("x"u8.ToArray(), 2) with { Authentication = null }));
        var malformed = Bencoded.Write(new Dictionary<string, object> { ["pubkey"] = account.Id.ToString(), ["signature"] = "x", ["timestamp"] = 1 });
        Assert.Equal((400, (object)"invalid request: invalid signature: expected 64-byte Ed25519 signature"), client.Rpc("retrieve", malformed));
    }

    [Fact]
    public async Task Onion_TakesNoBencode()
    {
        // Only OxenMQ and QUIC have the bencoded form: an onion's body is JSON text.
        var content = await _network.OnionRpcAsync(_network.Nodes[5], "de");
        Assert.Equal(400, content.Status);
    }

    [Fact]
    public void Garbage_EndsOneConnectionOnly()
    {
        using var steady = new OmqClient(_network.Nodes[3]);
        Assert.Single(steady.Request("storage.info", Nothing));
        var port = new Uri(_network.Nodes[3].OmqUrl!).Port;
        byte[][] garbage =
        [
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n0123456789012345678901234567890123456789"u8.ToArray(),
            [1, 0, 6, 1, .. "HELLO"u8, .. new byte[64]],   // ZMTP 1.0, which has no encryption
            Greeting("NULL"),
            [.. Greeting("CURVE"), 4, 6, .. "\u0005READY"u8],
            [.. Greeting("CURVE"), 6, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [.. Greeting("CURVE"), 4, 200, .. "\u0005HELLO\u0001\u0000"u8, .. new byte[192]],
        ];
        foreach (var bytes in garbage)
        {
            using var socket = new TcpClient("127.0.0.1", port) { ReceiveTimeout = 20_000 };
            socket.GetStream().Write(bytes);
            var answer = new MemoryStream();
            socket.GetStream().CopyTo(answer);   // ends when the node closes the connection
            Assert.True(answer.Length <= 64, "A peer without a handshake got more than a greeting.");
        }

        Assert.Single(steady.Request("storage.info", Nothing));
        _network.Process.AssertNoErrors();

        static byte[] Greeting(string mechanism)
        {
            var greeting = new byte[64];
            (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
            Encoding.ASCII.GetBytes(mechanism).CopyTo(greeting, 12);
            return greeting;
        }
    }

    [Fact]
    public async Task Requests_OfOneConnection_RunSideBySide()
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        await Parallel.ForEachAsync(Enumerable.Range(0, 8), async (_, _) =>
        {
            await Task.Yield();
            using var client = new OmqClient(member);
            for (var i = 0; i < 50; i++)
                Assert.Equal(200, client.Rpc(account.Retrieve()).Status);
        });
    }
}
