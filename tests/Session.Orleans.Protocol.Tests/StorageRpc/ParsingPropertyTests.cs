using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

/// <summary>What holds for any input: nothing throws, every refusal is a 400, and what the client's side writes is read back.</summary>
public sealed class ParsingPropertyTests
{
    private static readonly byte[][] Valid =
    [
        .. Vectors.Load("storage_requests.json").GetProperty("cases").EnumerateArray()
            .Where(static vector => vector.TryGetProperty("request", out _)).Select(static vector => Encoding.UTF8.GetBytes(vector.Text("request"))),
    ];

    private static readonly string[] Methods =
    [
        "store", "retrieve", "get_expiries", "delete", "delete_all", "delete_before", "expire", "expire_all", "revoke_subaccount",
        "unrevoke_subaccount", "info", "get_swarm", "get_snodes_for_pubkey", "oxend_request", "batch", "sequence", "ifelse",
    ];

    private static readonly string[] Names =
    [
        "data", "expiry", "namespace", "pubKey", "pubkey", "pubkey_ed25519", "sig_timestamp", "signature", "subaccount", "subaccount_sig",
        "timestamp", "ttl", "lastHash", "last_hash", "max_count", "max_size", "messages", "required", "before", "shorten", "extend", "revoke",
        "unrevoke", "endpoint", "params", "requests", "method", "if", "then", "else", "hf_at_least", "height_before", "v_before", "other",
    ];

    private static readonly Gen<string> Literal = Gen.OneOf(
        Any(
            "null", "true", "false", "0", "-0", "-1", "1.5", "1e400", "1750000000000", "9223372036854775808", "18446744073709551616", "-32769",
            "\"\"", "\"all\"", "\"05d77438eadefc931c5a6acc9aa9036d83e134845254745eab1c2d3c9ab457721f\"", "\"\\ud83d\\ude00\"", "\"\\ud83d\"",
            "\"info\"", "\"batch\"", "\"get_service_nodes\"", $"\"{new string('A', 86)}\"", $"\"{new string('A', 43)}\"", $"\"{new string('a', 72)}\""),
        Gen.Long.Select(static number => number.ToString(System.Globalization.CultureInfo.InvariantCulture)),
        Gen.String.Select(static text => JsonSerializer.Serialize(text)));

    private static readonly Gen<string> Value = Gen.Recursive<string>(static (depth, value) => depth > 4
        ? Literal
        : Gen.Frequency(
            (6, Literal),
            (1, value.Array[0, 3].Select(static items => "[" + string.Join(',', items) + "]")),
            (1, Gen.Select(Any(Names), value).Array[0, 4].Select(static members =>
                "{" + string.Join(',', members.Select(static member => $"\"{member.Item1}\":{member.Item2}")) + "}"))));

    [Fact]
    public void TryParse_RandomBytes_NeverThrows() => Gen.Byte.Array[0, 200].Sample(MustNotThrow, iter: 8_000);

    [Fact]
    public void TryParse_RandomJson_NeverThrows() => Gen.Select(Any(Methods), Gen.Select(Any(Names), Value).Array[0, 12])
        .Select(static (method, members) => Encoding.UTF8.GetBytes(
            $$$"""{"method":"{{{method}}}","params":{{{{string.Join(',', members.Select(static member => $"\"{member.Item1}\":{member.Item2}"))}}}}}"""))
        .Sample(MustNotThrow, iter: 15_000);

    [Fact]
    public void TryParse_MutatedRequests_NeverThrows()
    {
        var edit = Gen.Select(Gen.Double.Unit, Gen.Int[0, 3], Gen.OneOf(Gen.Byte, Any("{}[]\",:\\u0e-"u8.ToArray())));
        Gen.Select(Any(Valid), edit.Array[1, 4]).Sample(
            static (body, edits) =>
            {
                var bytes = body.ToList();
                foreach (var (place, kind, value) in edits)
                {
                    var at = Math.Min((int)(place * bytes.Count), bytes.Count - 1);
                    if (kind == 0 && bytes.Count > 1)
                        bytes.RemoveAt(at);
                    else if (kind == 1)
                        bytes.Insert(at, value);
                    else
                        bytes[at] = value;
                }

                MustNotThrow([.. bytes]);
            },
            iter: 15_000);
    }

    [Fact]
    public void TryParse_MemberReplaced_NeverThrows() => Gen.Select(Any(Valid), Any(Names), Literal).Sample(
        static (body, name, literal) =>
        {
            if (JsonNode.Parse(body) is not JsonObject { } root || root["params"] is not JsonObject)
                return;
            var text = Encoding.UTF8.GetString(body);
            MustNotThrow(Encoding.UTF8.GetBytes(text.Replace("\"params\":{", $"\"params\":{{\"{name}\":{literal},", StringComparison.Ordinal)));
            MustNotThrow(Encoding.UTF8.GetBytes(text[..^2] + $",\"{name}\":{literal}}}}}"));
        },
        iter: 8_000);

    [Fact]
    public void Store_AnyData_IsDecodedWithAndWithoutPadding() => Gen.Byte.Array[0, 300].Sample(
        static data =>
        {
            var base64 = Convert.ToBase64String(data);
            foreach (var text in new[] { base64, base64.TrimEnd('='), base64.Replace("/", "\\/", StringComparison.Ordinal) })
            {
                var body = Encoding.ASCII.GetBytes($$"""{"pubkey":"05{{new string('0', 64)}}","timestamp":1,"ttl":1,"data":"{{text}}"}""");
                Assert.True(StorageRequest.TryParseParameters("store"u8, body, default, out var request, out var error), error.Text);
                Assert.Equal(data, Assert.IsType<StoreRequest>(request).Data.ToArray());
            }
        },
        iter: 2_000);

    [Fact]
    public void Store_WrittenAndRead_IsTheSame() => Gen.Select(
        Gen.Byte.Array[32], Gen.Short, Gen.Long[1_000_000_000, 1L << 45], Gen.Long[0, 1L << 45], Gen.Byte.Array[0, 2000], Gen.Bool, Gen.Bool)
        .Sample(
            static (seed, ns, timestamp, ttl, data, sign, group) =>
            {
                var keys = new Ed25519KeyPair(seed);
                var request = new StoreRequest
                {
                    Account = group ? new(AccountId.GroupPrefix, keys.PublicKey.Value) : keys.SessionId,
                    Namespace = ns,
                    Timestamp = timestamp,
                    Expiry = timestamp + ttl,
                    SignatureTimestamp = sign ? timestamp + 1 : null,
                    Data = data,
                };
                if (sign)
                    request = (StoreRequest)request.SignWith(keys);
                var read = Assert.IsType<StoreRequest>(Read(request));
                Assert.Equal(data, read.Data.ToArray());
                Assert.Equal(request with { Data = default }, read with { Data = default });
                var clock = new ServerClock(timestamp, new(19, 4));
                Assert.Equal(request.Check(clock), read.Check(clock));
                if (sign && ttl is >= StorageLimits.MinTtlMs and <= StorageLimits.MaxTtlPublicInboxMs)
                    Assert.Null(read.Check(clock));
            },
            iter: 300);

    [Fact]
    public void Retrieve_WrittenAndRead_IsTheSame() => Gen.Select(
        Gen.Byte.Array[32], Gen.Short, Gen.Long[1_000_000_000, 1L << 45], Gen.Int.Nullable(), Gen.Int.Nullable(), Gen.Byte.Array[32].Null(), Gen.Bool)
        .Sample(
            static (seed, ns, timestamp, count, size, lastHash, sub) =>
            {
                var keys = new Ed25519KeyPair(seed);
                var request = new RetrieveRequest
                {
                    Account = keys.SessionId,
                    Namespace = ns,
                    Timestamp = timestamp,
                    MaxCount = count,
                    MaxSize = size,
                    LastHash = lastHash is null ? null : new MessageHash(new Bytes32(lastHash)),
                };
                var credential = sub ? SubaccountCredential.Issue(keys, new(AccountId.SessionPrefix, SubaccountFlags.Read, keys.PublicKey)) : null;
                request = (RetrieveRequest)request.SignWith(keys, credential, keys.PublicKey);
                var read = Assert.IsType<RetrieveRequest>(Read(request));
                Assert.Equal(request, read);
                Assert.Null(read.Check(new(timestamp, new(19, 4))));
            },
            iter: 300);

    [Fact]
    public void Batch_WrittenAndRead_IsTheSame()
    {
        var keys = new Ed25519KeyPair(new byte[32]);
        var batch = new BatchRequest
        {
            Requests =
            [
                new RetrieveRequest { Account = keys.SessionId, Namespace = 2, Timestamp = 1_750_000_000_000 }.SignWith(keys),
                new RetrieveRequest { Account = keys.SessionId, Namespace = -10 },
                new GetSwarmRequest { Account = keys.SessionId },
                new InfoRequest(),
            ],
        };
        Assert.Equal(batch.Requests, Assert.IsType<BatchRequest>(Read(batch)).Requests);

        var branches = new IfElseRequest { Condition = new() { HardForkBefore = [19], HeightAtLeast = 5 }, Then = batch, Else = new InfoRequest() };
        var read = Assert.IsType<IfElseRequest>(Read(branches));
        Assert.Equal([19L], read.Condition.HardForkBefore);
        Assert.Equal((5L, new InfoRequest()), (read.Condition.HeightAtLeast, read.Else));
        Assert.Equal(batch.Requests, Assert.IsType<BatchRequest>(read.Then).Requests);
    }

    private static Gen<T> Any<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    private static StorageRequest Read(StorageRequest request)
    {
        Assert.True(StorageRequest.TryParse(StorageRequestWriter.ToArray(request), default, out var read, out var error), error.Text);
        return read;
    }

    private static void MustNotThrow(byte[] body)
    {
        if (!StorageRequest.TryParse(body, new(TestNetwork: true), out var request, out var error))
        {
            Assert.Null(request);
            Assert.Equal(400, error.Status);
            Assert.NotEmpty(error.Text);
            return;
        }

        Assert.Equal(default, error);
        if (request is AccountRequest account)
        {
            _ = account.Check(new(1_750_000_000_000, new(19, 4)));
            _ = account.TokenCheck;
        }

        // Whatever was understood can be written, and means the same when read again.
        var written = StorageRequestWriter.ToArray(request);
        Assert.True(StorageRequest.TryParse(written, default, out var again, out error), error.Text);
        Assert.Equal(written, StorageRequestWriter.ToArray(again));
    }
}
