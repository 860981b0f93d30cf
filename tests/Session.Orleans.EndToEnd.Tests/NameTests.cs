using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Client;
using Session.Orleans.Client.Names;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Names;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Names (names.md): the seed's JSON-RPC, what nodes answer, and the commands.</summary>
public sealed class NameTests(NameTests.QuietNetwork fixture) : IClassFixture<NameTests.QuietNetwork>
{
    private static int _number;

    private readonly TestNetwork _network = fixture.Network;

    [Fact]
    public async Task Name_IsBoughtMovedTransferredAndResolvedByThreeNodes()
    {
        using var http = SessionHttp.Create();
        var registry = new NameRegistry(http, _network.Process.Seed);
        var resolver = new NameResolver(new OnionClient(http), await SeedClient.GetServiceNodesAsync(http, _network.Process.Seed, TestContext.Current.CancellationToken));
        var (first, second, owner, backup, heir) = (new TestAccount().Id, new TestAccount().Id, Ed25519KeyPair.Generate(), Ed25519KeyPair.Generate(), Ed25519KeyPair.Generate());
        var name = NewName();
        Assert.Null(await resolver.ResolveAsync(name, TestContext.Current.CancellationToken));

        var bought = await registry.BuyAsync(name.ToUpperInvariant(), first, owner, backup.PublicKey, TestContext.Current.CancellationToken);
        Assert.Equal(first, await resolver.ResolveAsync(name, TestContext.Current.CancellationToken));
        await AssertRefusedAsync(-2, () => registry.BuyAsync(name, second, heir));

        var moved = await registry.UpdateAsync(name, backup, account: second, cancellationToken: TestContext.Current.CancellationToken);
        Assert.True(moved.Height > bought.Height);
        Assert.Equal(second, await resolver.ResolveAsync(name.ToUpperInvariant(), TestContext.Current.CancellationToken));
        await AssertRefusedAsync(-5, () => registry.UpdateAsync(name, heir, account: first));
        await AssertRefusedAsync(-7, () => registry.UpdateAsync(name, owner, owner: owner.PublicKey));

        await registry.UpdateAsync(name, owner, owner: heir.PublicKey, cancellationToken: TestContext.Current.CancellationToken);
        await AssertRefusedAsync(-5, () => registry.UpdateAsync(name, owner, account: first));
        await registry.UpdateAsync(name, heir, account: first, cancellationToken: TestContext.Current.CancellationToken);
        Assert.Equal(first, await resolver.ResolveAsync(name, TestContext.Current.CancellationToken));

        Assert.Empty(await registry.ListAsync(owner.PublicKey, TestContext.Current.CancellationToken));
        foreach (var key in new[] { heir.PublicKey, backup.PublicKey })
            Assert.Equal(NameHash.Of(name).ToString(), Assert.Single(await registry.ListAsync(key, TestContext.Current.CancellationToken)).NameHash);
        var record = await registry.FindAsync(name, TestContext.Current.CancellationToken);
        Assert.Equal((heir.PublicKey.ToString(), backup.PublicKey.ToString()), (record!.Owner, record.BackupOwner));
        await AssertRefusedAsync(-3, () => registry.UpdateAsync(NewName(), heir, account: first));
    }

    [Fact]
    public async Task Resolve_AsEveryDoorAnswersIt()
    {
        using var http = SessionHttp.Create();
        var name = NewName();
        await new NameRegistry(http, _network.Process.Seed).BuyAsync(name, new TestAccount().Id, Ed25519KeyPair.Generate(), cancellationToken: TestContext.Current.CancellationToken);
        var known = Question(NameHash.Of(name).ToString());
        var seed = (await CallAsync("ons_resolve", known)).GetProperty("result").GetRawText();
        Assert.Equal(["encrypted_value", "nonce"], JsonElement.Parse(seed).EnumerateObject().Select(member => member.Name));
        Assert.Equal((98, 48), (JsonElement.Parse(seed).GetProperty("encrypted_value").GetString()!.Length, JsonElement.Parse(seed).GetProperty("nonce").GetString()!.Length));
        Assert.Equal(seed, (await CallAsync("lns_resolve", known)).GetProperty("result").GetRawText());

        var question = new JsonObject { ["endpoint"] = "ons_resolve", ["params"] = known.DeepClone() };
        var direct = await _network.RpcAsync(_network.Nodes[0], "oxend_request", (JsonObject)question.DeepClone());
        Assert.Equal((200, seed), (direct.Status, direct.Json.GetProperty("result").GetRawText()));
        var batch = new JsonObject { ["method"] = "batch", ["params"] = new JsonObject { ["requests"] = new JsonArray(new JsonObject { ["method"] = "oxend_request", ["params"] = question.DeepClone() }) } };
        var onion = await _network.OnionRpcAsync(_network.Nodes[1], batch.ToJsonString());
        var first = JsonElement.Parse(onion.Body.Span).GetProperty("results")[0];
        Assert.Equal((200, seed), (first.GetProperty("code").GetInt32(), first.GetProperty("body").GetProperty("result").GetRawText()));

        var unknown = await _network.RpcAsync(_network.Nodes[0], "oxend_request", new() { ["endpoint"] = "ons_resolve", ["params"] = Question(NameHash.Of(NewName()).ToString()) });
        Assert.Equal((200, "{}"), (unknown.Status, unknown.Json.GetProperty("result").GetRawText()));
    }

    [Theory]
    [InlineData("ons_resolve", """{}""")]
    [InlineData("ons_resolve", """{"type":6,"name_hash":"4R2BSXk3LIg7UL2w/62x6vCJi/VP1PvymK8Sb7q72kw="}""")]
    [InlineData("ons_resolve", """{"type":0,"name_hash":"4R2B"}""")]
    [InlineData("ons_resolve", """{"type":0,"name_hash":"DldRwCblQ7Loqy6wYJnaodHl30d3j3eH+qtFzfEv46g="}""")] // of the empty name
    [InlineData("ons_names_to_owners", """{"name_hash":"x","type":[0]}""")]
    [InlineData("ons_names_to_owners", """{"name_hash":[],"type":[9]}""")]
    [InlineData("ons_owners_to_names", """{"entries":["xyz"]}""")]
    [InlineData("ons_buy_mapping", """{"type":"session"}""")]
    [InlineData("ons_buy_mapping", """{"type":"sessions","name_hash":"4R2BSXk3LIg7UL2w/62x6vCJi/VP1PvymK8Sb7q72kw="}""")]
    [InlineData("ons_buy_mapping", """{"type":0,"name_hash":"4R2BSXk3LIg7UL2w/62x6vCJi/VP1PvymK8Sb7q72kw=","encrypted_value":"00","owner":"2c135332d8ac742f01c4b7c59b0d17ceaae45e07b10c22487eecddce670798e7","signature":"zz"}""")]
    [InlineData("ons_renew_mapping", """{"type":0,"name_hash":"4R2BSXk3LIg7UL2w/62x6vCJi/VP1PvymK8Sb7q72kw=","prev_txid":"00"}""")]
    [InlineData("ons_hash_name", """{"type":0,"name":"a b"}""")]
    [InlineData("ons_hash_name", """[]""")]
    public async Task BadParameters_AreCodeMinusOne(string method, string parameters) =>
        Assert.Equal(-1, (await CallAsync(method, JsonNode.Parse(parameters)!)).GetProperty("error").GetProperty("code").GetInt32());

    [Fact]
    public async Task Hash_IsToldForAName() => Assert.Equal(
        "4R2BSXk3LIg7UL2w/62x6vCJi/VP1PvymK8Sb7q72kw=",
        (await CallAsync("ons_hash_name", new JsonObject { ["type"] = "session", ["name"] = "Alice" })).GetProperty("result").GetProperty("name").GetString());

    [Fact]
    public async Task Domain_IsRenewedFromItsOldEnd_AndNobodyRenewsASessionName()
    {
        var owner = Ed25519KeyPair.Generate();
        var domain = NewName() + ".loki";
        var bought = await BuyAsync(owner, domain, type: 2);
        var end = bought.GetProperty("expiration_height").GetInt64();
        Assert.Equal(bought.GetProperty("height").GetInt64() + 720, end);

        var previous = bought.GetProperty("txid").GetString();
        var renewal = new JsonObject { ["type"] = "lokinet_2y", ["name_hash"] = NameHash.Of(domain).ToString(), ["prev_txid"] = previous };
        var renewed = (await CallAsync("ons_renew_mapping", renewal)).GetProperty("result");
        Assert.Equal(end + 1440, renewed.GetProperty("expiration_height").GetInt64());
        Assert.Equal(-6, (await CallAsync("ons_renew_mapping", renewal)).GetProperty("error").GetProperty("code").GetInt32());

        var name = NewName();
        var session = await BuyAsync(owner, name, type: 0);
        Assert.False(session.TryGetProperty("expiration_height", out _));
        renewal = new() { ["type"] = 0, ["name_hash"] = NameHash.Of(name).ToString(), ["prev_txid"] = session.GetProperty("txid").GetString() };
        Assert.Equal(-1, (await CallAsync("ons_renew_mapping", renewal)).GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task WalletOfASessionName_IsForItsOwnerOnly()
    {
        var (owner, other) = (Ed25519KeyPair.Generate(), Ed25519KeyPair.Generate());
        var name = NewName();
        await BuyAsync(owner, name, type: 0);

        Assert.Equal(-8, (await CallAsync("ons_buy_mapping", Purchase(other, name, type: 1))).GetProperty("error").GetProperty("code").GetInt32());
        await BuyAsync(owner, name, type: 1);
    }

    [Fact]
    public async Task EleventhPurchaseOfADay_IsRefused()
    {
        var owner = Ed25519KeyPair.Generate();
        for (var i = 0; i < 10; i++)
            await BuyAsync(owner, NewName(), type: 0);
        Assert.Equal(-9, (await CallAsync("ons_buy_mapping", Purchase(owner, NewName(), type: 0))).GetProperty("error").GetProperty("code").GetInt32());
        await BuyAsync(Ed25519KeyPair.Generate(), NewName(), type: 0);
    }

    [Fact]
    public async Task RecordedCalls_AreAnsweredAsRecorded_AndSurviveAKill()
    {
        // At a height of 1, where the recorded ids come from; names bought by the same owner at the same height have the same ids.
        var calls = JsonElement.Parse(await File.ReadAllBytesAsync(Path.Combine(AppContext.BaseDirectory, "vectors", "names.json"), TestContext.Current.CancellationToken))
            .GetProperty("registry").EnumerateArray().ToDictionary(call => call.GetProperty("name").GetString()!);
        using var folder = new TemporaryFolder();
        await using (var process = await TestnetProcess.StartAsync(folder.Path, "--block-time 3600", nodes: 4))
        {
            using var network = new TestNetwork(process);
            await AssertAsRecordedAsync(network, calls["buy_without_backup"]);
            await AssertAsRecordedAsync(network, calls["update_by_stranger_refused"]);
            await AssertAsRecordedAsync(network, calls["buy_signature_moved_to_other_name"]);
            await process.KillAsync();
        }

        await using var again = await TestnetProcess.StartAsync(folder.Path, "--block-time 3600", nodes: 4);
        using var same = new TestNetwork(again);
        var resolved = await CallAsync(same, "ons_resolve", Question("4R2BSXk3LIg7UL2w/62x6vCJi/VP1PvymK8Sb7q72kw="));
        Assert.Equal(
            calls["buy_without_backup"].GetProperty("params").GetProperty("encrypted_value").GetString(),
            resolved.GetProperty("result").GetProperty("encrypted_value").GetString() + resolved.GetProperty("result").GetProperty("nonce").GetString());
        Assert.Equal(-2, (await CallAsync(same, "ons_buy_mapping", JsonNode.Parse(calls["buy_with_backup"].GetProperty("params").GetRawText())!)).GetProperty("error").GetProperty("code").GetInt32());

        await using var fresh = await TestnetProcess.StartAsync(options: "--ephemeral --block-time 3600", nodes: 4);
        using var other = new TestNetwork(fresh);
        await AssertAsRecordedAsync(other, calls["buy_with_backup"]);
        await AssertAsRecordedAsync(other, calls["update_value_by_backup_after_buy_with_backup"]);
    }

    [Fact]
    public async Task RecordedValues_AreResolvedAsRecorded()
    {
        var vectors = JsonElement.Parse(await File.ReadAllBytesAsync(Path.Combine(AppContext.BaseDirectory, "vectors", "names.json"), TestContext.Current.CancellationToken))
            .GetProperty("resolve_examples").EnumerateArray().ToArray();
        Assert.Equal(7, vectors.Length);
        var owner = Ed25519KeyPair.Generate();
        foreach (var vector in vectors)
        {
            var (request, result) = (vector.GetProperty("request"), vector.GetProperty("result"));
            // What the first generation stored has no nonce, and is not taken for new names.
            if (result.TryGetProperty("encrypted_value", out _) && !result.TryGetProperty("nonce", out _))
                continue;
            if (vector.GetProperty("stored") is { ValueKind: JsonValueKind.String } stored)
            {
                Assert.True(NameHash.TryParse(request.GetProperty("name_hash").GetString(), out var hash));
                var change = new NameChange { Operation = NameOperation.Buy, Type = 0, Name = hash, Value = Convert.FromHexString(stored.GetString()!), Owner = new(owner.PublicKey) };
                _ = (await CallAsync("ons_buy_mapping", Call(owner, change.SignWith(owner)))).GetProperty("result");
            }

            Assert.True(JsonElement.DeepEquals(result, (await CallAsync("ons_resolve", JsonNode.Parse(request.GetRawText())!)).GetProperty("result")), request.GetRawText());
        }
    }

    [Fact]
    public async Task Fee_IsTakenFromTheLedger_WhichStillBalances()
    {
        await using var process = await TestnetProcess.StartAsync(
            options: "--ephemeral --block-time 3600", nodes: 4, environment: new Dictionary<string, string> { ["SESSION_Names__Fee"] = "7" });
        using var network = new TestNetwork(process);
        var owner = Ed25519KeyPair.Generate();
        Assert.Equal(-10, (await CallAsync(network, "ons_buy_mapping", Purchase(owner, NewName(), type: 0))).GetProperty("error").GetProperty("code").GetInt32());

        await RunAsync(process, "chain step 1"); // the nodes earn
        var before = JsonElement.Parse(await RunAsync(process, "chain show --output json"));
        var bought = await CallAsync(network, "ons_buy_mapping", Purchase(owner, NewName(), type: 0));
        Assert.True(bought.TryGetProperty("result", out _), bought.GetRawText());
        var after = JsonElement.Parse(await RunAsync(process, "chain show --output json"));

        Assert.Equal(before.GetProperty("height").GetInt64() + 1, after.GetProperty("height").GetInt64()); // a block of its own
        Assert.Equal(
            after.GetProperty("minted").GetInt64(),
            after.GetProperty("balances").GetInt64() + after.GetProperty("stakes").GetInt64() + after.GetProperty("locked").GetInt64());
    }

    [Fact]
    public async Task Commands_BuyResolveUpdateAndShow()
    {
        var (name, first, second) = (NewName(), new TestAccount().Id, new TestAccount().Id);
        var bought = JsonElement.Parse(await RunAsync(_network.Process, $"names buy {name.ToUpperInvariant()} {first} --output json"));
        Assert.Equal((name, 64), (bought.GetProperty("name").GetString(), bought.GetProperty("txid").GetString()!.Length));
        Assert.Equal(first.ToString(), (await RunAsync(_network.Process, $"names resolve {name}")).Trim());
        await RunAsync(_network.Process, $"names update {name} --to {second}");
        Assert.Equal(second.ToString(), JsonElement.Parse(await RunAsync(_network.Process, $"names resolve {name} --output json")).GetProperty("sessionId").GetString());
        Assert.Contains(bought.GetProperty("owner").GetString()!, await RunAsync(_network.Process, $"names show {name}"), StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_network.Process.Directory, "name-owner.key")));

        foreach (var (command, code, named) in ((string, int, string)[])[
            ($"names buy {name} {first}", 1, "already registered"), ($"names buy a.{name} {first}", 1, "is no name"), ($"names buy {NewName()} 05aa", 2, "66 hex digits"),
            ($"names resolve {NewName()}", 1, "Nobody has"), ($"names update {name}", 2, "--to"), ($"names update {name} --owner x", 2, "--owner"),
            ($"names buy {NewName()} {first} --owner-key {_network.Process.DescriptionFile}", 1, "does not hold")])
        {
            var result = await TestnetProcess.RunAsync($"{command} --data \"{_network.Process.Directory}\"");
            Assert.True(result.ExitCode == code && result.Error.Contains(named, StringComparison.Ordinal), $"{command}: {result}");
        }
    }

    private static string NewName() => $"name-{Interlocked.Increment(ref _number)}-of-{Environment.ProcessId}";

    private static JsonObject Question(string hash) => new() { ["type"] = 0, ["name_hash"] = hash };

    private static JsonObject Purchase(Ed25519KeyPair owner, string name, int type)
    {
        var value = new byte[type switch { 0 => 33, 1 => 65, _ => 32 }];
        var change = new NameChange
        {
            Operation = NameOperation.Buy,
            Type = type,
            Name = NameHash.Of(name),
            Value = NameCipher.Encrypt(name, value),
            Owner = new(owner.PublicKey),
        };
        return Call(owner, change.SignWith(owner));
    }

    private static JsonObject Call(Ed25519KeyPair owner, NameChange purchase) => new()
    {
        ["type"] = purchase.Type,
        ["name_hash"] = purchase.Name.ToString(),
        ["encrypted_value"] = Convert.ToHexStringLower(purchase.Value.Span),
        ["owner"] = owner.PublicKey.ToString(),
        ["signature"] = Convert.ToBase64String(purchase.Signature.Span),
    };

    private async Task<JsonElement> BuyAsync(Ed25519KeyPair owner, string name, int type)
    {
        var reply = await CallAsync("ons_buy_mapping", Purchase(owner, name, type));
        return reply.TryGetProperty("result", out var result) ? result : throw new InvalidOperationException(reply.GetRawText());
    }

    private static async Task AssertAsRecordedAsync(TestNetwork network, JsonElement call)
    {
        var isUpdate = call.GetProperty("params").TryGetProperty("prev_txid", out _);
        var reply = await CallAsync(network, isUpdate ? "ons_update_mapping" : "ons_buy_mapping", JsonNode.Parse(call.GetProperty("params").GetRawText())!);
        if (call.TryGetProperty("expect_error", out var code))
        {
            Assert.Equal(code.GetInt32(), reply.GetProperty("error").GetProperty("code").GetInt32());
            return;
        }

        Assert.Equal(
            ("OK", call.GetProperty("txid").GetString(), call.GetProperty("height").GetInt64()),
            (reply.GetProperty("result").GetProperty("status").GetString(), reply.GetProperty("result").GetProperty("txid").GetString(), reply.GetProperty("result").GetProperty("height").GetInt64()));
    }

    private static async Task AssertRefusedAsync(int code, Func<Task> change) => Assert.Equal(code, (await Assert.ThrowsAsync<SessionClientException>(change)).Status);

    private static async Task<string> RunAsync(TestnetProcess process, string command)
    {
        var result = await TestnetProcess.RunAsync($"{command} --data \"{process.Directory}\"");
        Assert.True(result is { ExitCode: 0, Error: "" }, $"{command}: {result}");
        return result.Output;
    }

    private Task<JsonElement> CallAsync(string method, JsonNode parameters) => CallAsync(_network, method, parameters);

    private static async Task<JsonElement> CallAsync(TestNetwork network, string method, JsonNode parameters)
    {
        var call = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 7, ["method"] = method, ["params"] = parameters.DeepClone() };
        var reply = await network.PostAsync(new(network.Process.Seed, "/json_rpc"), Encoding.UTF8.GetBytes(call.ToJsonString()));
        Assert.Equal((200, 7), (reply.Status, reply.Json.GetProperty("id").GetInt32()));
        return reply.Json;
    }

    /// <summary>A network whose height does not move by itself.</summary>
    public sealed class QuietNetwork : IAsyncLifetime
    {
        internal TestNetwork Network { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Network = await TestNetwork.StartAsync(options: "--ephemeral --block-time 3600", nodes: 10);

        public async ValueTask DisposeAsync()
        {
            Network.Dispose();
            await Network.Process.DisposeAsync();
        }
    }
}
