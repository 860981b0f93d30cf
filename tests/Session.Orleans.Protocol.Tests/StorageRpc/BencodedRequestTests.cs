using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

/// <summary>Bencoded parameters (storage-rpc.md, 17): the same requests as in JSON, with the same errors but for the ones named there.</summary>
public sealed class BencodedRequestTests
{
    private static readonly ServerClock Clock = new(1_750_000_000_000, new(19, 4));

    private static readonly Dictionary<string, JsonElement> Recorded =
        Vectors.Load("bt.json").GetProperty("vectors").EnumerateArray().ToDictionary(static vector => vector.Text("what"));

    private static readonly (string Name, string Method, JsonElement Vector, byte[]? Bencoded)[] Cases =
    [
        .. Vectors.Load("storage_requests.json").GetProperty("cases").EnumerateArray()
            .Where(static vector => vector.TryGetProperty("request", out _))
            .Select(static vector => (vector.Text("name"), vector.Text("method"), vector, TryConvert(vector))),
    ];

    private static readonly Ed25519KeyPair Keys = new(new byte[32]);

    private static readonly string Account = Keys.SessionId.ToString();

    [Fact]
    public void StoreVector_IsUnderstoodAndItsSignatureValid()
    {
        var store = Assert.IsType<StoreRequest>(Parse("store", Recorded["storage.store request"].Base64("encoded_base64")));
        Assert.Equal(("032814b91c63cc793abbfa3a606482bbd8d81cf407dcebb3c7cdeeef604316d7d8", 11, 1_750_000_000_000, 1_750_086_400_000),
            (store.Account.ToString(), store.Namespace, store.Timestamp, store.Expiry));
        Assert.Equal("g0"u8, store.Data.Span);
        Assert.Null(store.Check(Clock));
    }

    [Fact]
    public void RetrieveVector_IsUnderstoodAndItsSignatureValid()
    {
        var retrieve = Assert.IsType<RetrieveRequest>(Parse("retrieve", Recorded["storage.retrieve request"].Base64("encoded_base64")));
        Assert.Equal((11, 1_750_000_000_000), (retrieve.Namespace, retrieve.Timestamp));
        Assert.Null(retrieve.Check(Clock));
    }

    [Fact]
    public void EveryJsonVector_MeansTheSameBencoded()
    {
        var converted = 0;
        foreach (var (name, method, vector, bencoded) in Cases)
        {
            if (bencoded is null)
                continue;
            var parsed = StorageRequest.TryParse(Encoding.UTF8.GetBytes(vector.Text("request")), default, out var expected, out var expectedError);
            if (!parsed && IsAboutJson(expectedError.Text))
                continue;
            converted++;
            var same = StorageRequest.TryParseMessage(Encoding.UTF8.GetBytes(method), bencoded, default, out var form, out var request, out var error);
            Assert.True(parsed == same, $"{name}: {expectedError} {error}");
            Assert.Equal(RequestForm.Bencode, form);
            Assert.Equal(expectedError, error);
            if (request is not null)
                Assert.Equal(StorageRequestWriter.ToArray(expected!), StorageRequestWriter.ToArray(request));
        }

        Assert.True(converted > 150, $"Only {converted} cases were converted.");
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("de")]
    public void Info_NeedsNoParameters(string parameters) => Assert.IsType<InfoRequest>(Parse("info", Encoding.ASCII.GetBytes(parameters)));

    [Theory]
    [InlineData("x")]
    [InlineData("le")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("d")]
    [InlineData("de ")]
    [InlineData("d1:bi1e1:ai1ee")]
    [InlineData("d1:ai1e1:ai1ee")]
    [InlineData("d1:ad1:bi1e1:ai1eee")]
    [InlineData("d1:ai01ee")]
    [InlineData("d1:ai-0ee")]
    [InlineData("di1ei1ee")]
    [InlineData("d1:a5:abe")]
    public void TryParseMessage_NeitherForm_IsRefused(string parameters)
    {
        Assert.False(StorageRequest.TryParseMessage("info"u8, Encoding.ASCII.GetBytes(parameters), default, out _, out var request, out var error));
        Assert.Null(request);
        Assert.Equal(new StorageError(400, "invalid body: expected json or bt_dict"), error);
    }

    [Fact]
    public void TryParseMessage_NestedTooDeeply_IsRefused()
    {
        var deep = Encoding.ASCII.GetBytes("d1:x" + new string('l', 100_000) + new string('e', 100_000) + "e");
        Assert.False(StorageRequest.TryParseMessage("info"u8, deep, default, out _, out _, out var error));
        Assert.Equal(StorageError.InvalidMessage, error);
    }

    [Theory]
    [InlineData("signature", 63, "invalid signature: expected 64-byte Ed25519 signature")]
    [InlineData("signature", 86, "invalid signature: expected 64-byte Ed25519 signature")]
    [InlineData("subaccount", 35, "invalid subaccount token: invalid token length")]
    [InlineData("subaccount", 48, "invalid subaccount token: invalid token length")]
    [InlineData("subaccount_sig", 65, "invalid signature: expected 64-byte Ed25519 signature")]
    [InlineData("pubkey", 34, "Pubkey must be 66 hex digits (33 bytes) long")]
    [InlineData("pubkey_ed25519", 31, "Invalid pubkey_ed25519: expected 64 hex char or 32 byte pubkey")]
    [InlineData("pubkey_ed25519", 64, "invalid pubkey_ed25519: value is not hex")]
    [InlineData("last_hash", 42, "Invalid last_hash: expected base64 (43 chars)")]
    public void Retrieve_ValueOfTheWrongLength_IsRefused(string name, int length, string text)
    {
        var parameters = Retrieve();
        parameters[name] = Enumerable.Repeat((byte)'-', length).ToArray();
        AssertError("retrieve", parameters, text);
    }

    [Theory]
    [InlineData("signature", "Invalid value given for 'signature': expected string")]
    [InlineData("timestamp", "Invalid value given for 'timestamp': expected integer timestamp (in milliseconds)")]
    [InlineData("namespace", "Invalid value given for 'namespace': expected 16-bit integer")]
    [InlineData("max_count", "Invalid value given for 'max_count': expected integer")]
    public void Retrieve_ValueOfTheWrongType_IsRefused(string name, string text)
    {
        var parameters = Retrieve();
        parameters[name] = name is "signature" ? 5 : "5";
        AssertError("retrieve", parameters, text);
    }

    [Fact]
    public void Retrieve_NamespaceOutOfRange_IsRefused() =>
        AssertError("retrieve", new(Retrieve()) { ["namespace"] = 32768 }, "Invalid value given for 'namespace': value out of range");

    [Fact]
    public void Retrieve_TimeInSeconds_IsNotGuessed()
    {
        var request = Assert.IsType<RetrieveRequest>(Parse("retrieve", Bencoded.Write(new Dictionary<string, object>(Retrieve()) { ["timestamp"] = 1_750_000_000 - 1 })));
        Assert.Equal(1_749_999_999, request.Timestamp);
        Assert.Equal(406, request.Check(Clock)!.Value.Status);
    }

    [Fact]
    public void Store_TextForANumber_IsRefused()
    {
        var store = new Dictionary<string, object> { ["pubkey"] = Account, ["data"] = "x", ["timestamp"] = "1750000000000", ["ttl"] = 60_000 };
        AssertError("store", store, "Invalid value given for 'timestamp': expected integer");
        AssertError("store", new(store) { ["timestamp"] = 5, ["ttl"] = "60000" }, "Invalid value given for 'ttl': expected positive integer");
        AssertError("store", new(store) { ["timestamp"] = 5, ["ttl"] = -1 }, "Invalid value given for 'ttl': expected positive integer");
    }

    [Fact]
    public void Store_DataAreRawAndLimited()
    {
        var data = new byte[76_801];
        Random.Shared.NextBytes(data);
        var store = new Dictionary<string, object> { ["pubkey"] = Convert.FromHexString(Account), ["data"] = data[..^1], ["timestamp"] = 1, ["ttl"] = 1 };
        Assert.Equal(data[..^1], Assert.IsType<StoreRequest>(Parse("store", Bencoded.Write(store))).Data.ToArray());
        AssertError("store", new(store) { ["data"] = data }, "Message body exceeds maximum allowed length of 76800 bytes");
        AssertError("store", new(store) { ["data"] = 5 }, "Invalid value given for 'data': expected string");
    }

    [Fact]
    public void Expire_FlagsAreZeroOrOne()
    {
        var parameters = new Dictionary<string, object>
        {
            ["pubkey"] = Account, ["pubkey_ed25519"] = Keys.PublicKey.AsSpan().ToArray(), ["signature"] = new byte[64],
            ["messages"] = new object[] { new string('A', 43) }, ["expiry"] = 5, ["shorten"] = 0, ["extend"] = 1,
        };
        var expire = Assert.IsType<ExpireRequest>(Parse("expire", Bencoded.Write(parameters)));
        Assert.Equal((false, true), (expire.Shorten, expire.Extend));
        AssertError("expire", new(parameters) { ["extend"] = 2 }, "Invalid value given for 'extend': expected boolean");
        AssertError("expire", new(parameters) { ["shorten"] = 1 }, "cannot specify both 'shorten' and 'extend'");
        AssertError("expire", new(parameters) { ["expiry"] = new object[] { "5" } }, "Invalid value given for 'expiry': expected timestamp array");
        AssertError("expire", new(parameters) { ["messages"] = new object[] { 5 } }, "Invalid value given for 'messages': expected string array");
    }

    [Fact]
    public void Oxend_ParametersAreAJsonText()
    {
        var parameters = new Dictionary<string, object> { ["endpoint"] = "get_service_nodes", ["params"] = """{"limit":3}""" };
        Assert.Equal("""{"limit":3}"""u8, Assert.IsType<OxendRequest>(Parse("oxend_request", Bencoded.Write(parameters))).ParametersJson.Span);
        Assert.True(Assert.IsType<OxendRequest>(Parse("oxend_request", Bencoded.Write(new Dictionary<string, object>(parameters) { ["params"] = "null" }))).ParametersJson.IsEmpty);
        AssertError("oxend_request", new(parameters) { ["params"] = "{" }, "oxend_request params field does not contain valid json");
        AssertError("oxend_request", new(parameters) { ["params"] = new Dictionary<string, object>() }, "Invalid value given for 'params': expected string");
    }

    [Fact]
    public void Batch_SubrequestsAreBencodedToo()
    {
        object Sub(object method, object parameters) => new Dictionary<string, object> { ["method"] = method, ["params"] = parameters };
        var swarm = Sub("get_swarm", new Dictionary<string, object> { ["pubkey"] = Account });
        Dictionary<string, object> Batch(params object[] requests) => new() { ["requests"] = requests };

        var batch = Assert.IsType<BatchRequest>(Parse("batch", Bencoded.Write(Batch(swarm, Sub("info", new Dictionary<string, object>())))));
        Assert.Equal([new GetSwarmRequest { Account = Keys.SessionId }, new InfoRequest()], batch.Requests);

        AssertError("batch", [], "Invalid batch request: no valid \"requests\" field");
        AssertError("batch", Batch(), "Invalid batch request: no valid \"requests\" field");
        AssertError("batch", Batch([.. Enumerable.Repeat(swarm, 21)]), "Invalid batch request: subrequest limit exceeded");
        AssertError("batch", Batch(swarm, 5), "Invalid batch request: requests must be objects");
        AssertError("batch", Batch(Sub(5, new Dictionary<string, object>())), "Invalid batch request: subrequests must have method/params keys");
        AssertError("batch", Batch(Sub("info", "{}")), "Invalid batch request: subrequests must have method/params keys");
        AssertError("batch", Batch(Sub("x", new Dictionary<string, object>())), "Invalid batch subrequest: invalid method \"x\"");
        AssertError("batch", Batch(Sub("batch", Batch(swarm))), "Invalid batch subrequest: subrequests may not contain meta-requests");
    }

    [Fact]
    public void Request_WrittenInEitherForm_IsTheSame() => Gen.Select(
        Gen.Byte.Array[32], Gen.Short, Gen.Long[1_000_000_000, 1L << 45], Gen.Byte.Array[0, 2000], Gen.Bool)
        .Sample(
            static (seed, ns, timestamp, data, sub) =>
            {
                var keys = new Ed25519KeyPair(seed);
                var credential = sub ? SubaccountCredential.Issue(keys, new(AccountId.SessionPrefix, (SubaccountFlags)15, keys.PublicKey)) : null;
                AccountRequest[] requests =
                [
                    new StoreRequest { Account = keys.SessionId, Namespace = ns, Timestamp = timestamp, Expiry = timestamp + 60_000, Data = data },
                    new RetrieveRequest { Account = keys.SessionId, Namespace = ns, Timestamp = timestamp },
                    new DeleteAllRequest { Account = keys.SessionId, Timestamp = timestamp, Namespace = NamespaceSelector.All },
                    new RevokeSubaccountRequest { Account = keys.SessionId, Timestamp = timestamp, Tokens = [new(5, SubaccountFlags.Read, keys.PublicKey)] },
                ];
                foreach (var request in requests)
                {
                    var signed = request.SignWith(keys, request is RevocationRequest ? null : credential, keys.PublicKey);
                    var read = Parse(request.Method, Bencoded.FromRequest(signed));
                    Assert.Equal(StorageRequestWriter.ToArray(signed), StorageRequestWriter.ToArray(read));
                    Assert.Null(((AccountRequest)read).Check(new(timestamp, new(19, 4))));
                }
            },
            iter: 200);

    [Fact]
    public void TryParseMessage_AnyBytes_NeverThrow()
    {
        var valid = Cases.Where(static vector => vector.Bencoded is not null).Select(static vector => vector.Bencoded!).ToArray();
        string[] methods = [.. Cases.Select(static vector => vector.Method).Distinct(), "info", "get_snodes_for_pubkey"];
        Gen.Select(Gen.Int[0, methods.Length - 1].Select(i => methods[i]), Fuzzing.Around(valid)).Sample(
            static (method, parameters) =>
            {
                var name = Encoding.UTF8.GetBytes(method);
                if (!StorageRequest.TryParseMessage(name, parameters, new(TestNetwork: true), out _, out var request, out var error))
                {
                    Assert.Null(request);
                    Assert.Equal(400, error.Status);
                    Assert.NotEmpty(error.Text);
                    return;
                }

                Assert.Equal(default, error);
                if (request is AccountRequest account)
                {
                    _ = account.Check(Clock);
                    _ = account.TokenCheck;
                }

                _ = StorageRequestWriter.ToArray(request);
            },
            iter: 20_000);
    }

    private static Dictionary<string, object> Retrieve() => new()
    {
        ["pubkey"] = Account, ["pubkey_ed25519"] = Keys.PublicKey.AsSpan().ToArray(), ["signature"] = new byte[64],
        ["subaccount"] = new byte[36], ["subaccount_sig"] = new byte[64], ["timestamp"] = 1_750_000_000_000,
    };

    private static void AssertError(string method, Dictionary<string, object> parameters, string text)
    {
        Assert.False(StorageRequest.TryParseMessage(
            Encoding.UTF8.GetBytes(method), Bencoded.Write(parameters), default, out _, out var request, out var error));
        Assert.Null(request);
        Assert.Equal(new StorageError(400, "invalid request: " + text), error);
    }

    private static StorageRequest Parse(string method, byte[] parameters)
    {
        Assert.True(StorageRequest.TryParseMessage(Encoding.UTF8.GetBytes(method), parameters, default, out _, out var request, out var error), error.Text);
        return request;
    }

    private static byte[]? TryConvert(JsonElement vector) => Bencoded.FromJson(vector.Text("method"), JsonNode.Parse(vector.Text("request"))!["params"]!);

    // Errors of forms that bencode does not have, or that have a text of their own there.
    private static bool IsAboutJson(string text) =>
        text.Contains("must be in milliseconds", StringComparison.Ordinal) || text.Contains("base64 encoded", StringComparison.Ordinal)
        || text.Contains("subaccount token", StringComparison.Ordinal) || text.Contains("expected boolean", StringComparison.Ordinal);
}
