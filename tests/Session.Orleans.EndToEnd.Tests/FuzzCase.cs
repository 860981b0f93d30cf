using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>One damaged request.</summary>
/// <param name="Name">What was done to it.</param>
/// <param name="Url">Where it goes.</param>
/// <param name="Body">The bytes.</param>
/// <param name="Keys">Keys of its onion layers; none for a direct request.</param>
internal sealed record FuzzCase(string Name, Uri Url, byte[] Body, OnionLayerKey[] Keys)
{
    private static readonly string[] Numbers =
    [
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615", "18446744073709551616", "1e400", "-1e400", "0.1",
        "-0", "1E5", "99999999999999999999999999999999999999", "2147483648", "-1", "4294967296",
    ];

    private static readonly string[] Values =
    [
        "null", "true", "false", "\"\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00x\"", "\"\\ud83d\\ude00\"", "{}", "[]", "[[]]", "[null]", "{\"\":0}", "\"all\"",
        "\"" + new string('a', 64) + "\"", "\"" + new string('f', 66) + "\"", "\"" + new string('A', 43) + "\"", "\"====\"", "\"" + new string('x', 20_000) + "\"",
    ];

    public static FuzzCase Create(Random random, TestNetwork network, OnionCipher[] ciphers)
    {
        Span<byte> seed = stackalloc byte[32];
        seed.Clear();
        random.NextBytes(seed[..1]); // few accounts, so that requests meet
        var keys = new Ed25519KeyPair(seed);
        var request = CreateRequest(random, keys);
        var name = request.Method;
        var bytes = StorageRequestWriter.ToArray(request);
        // Mostly a node that will not refuse at once because the account is another swarm's.
        _ = new SwarmRing(network.Nodes.Select(node => new SwarmId(Convert.ToUInt64(node.Swarm, 16)))).TryFind(keys.SessionId, out var swarm);
        var targets = random.Next(8) == 0 ? network.Nodes : [.. network.Nodes.Where(node => node.Swarm == swarm.ToString())];
        var target = targets[random.Next(targets.Count)];
        var direct = random.Next(4) == 0;
        // At which depth the damage is done: -2 the request's JSON, -1 the HTTP body, then the layers.
        var depth = direct ? -2 : Math.Max(-2, random.Next(-5, 3));
        if (depth == -2)
        {
            bytes = random.Next(10) switch
            {
                < 2 => bytes,
                < 7 => DamageJson(random, bytes),
                _ => DamageBytes(random, bytes),
            };
        }

        if (direct)
            return new(name, new(target.Url, "/storage_rpc/v1"), bytes, []);

        var length = Math.Max(random.Next(1, 4), depth + 1);
        var path = Enumerable.Range(0, length)
            .Select(i => (i == length - 1 ? target : network.Nodes[random.Next(network.Nodes.Count)]).ToHop(ciphers[random.Next(ciphers.Length)])).ToArray();
        var options = random.Next(10) switch
        {
            0 => """{"headers":{},"json":true}""",
            1 => """{"headers":"","base64":false}""",
            2 => """{"host":"127.0.0.1","target":"/oxen/v4/lsrpc","protocol":"http","port":1}""",
            3 => $$"""{"destination":"{{new string('0', 64)}}","ephemeral_key":"{{new string('1', 64)}}"}""",
            _ => OnionWriter.ToDestination,
        };
        var sealedDepth = random.Next(10) == 0 ? random.Next(length) : -1;
        var (body, layerKeys) = OnionWriter.Wrap(path, OnionWriter.Pack(bytes, options),
            (layer, plaintext) => layer == depth ? DamagePayload(random, plaintext) : plaintext,
            (layer, ciphertext) => layer == sealedDepth ? DamageBytes(random, ciphertext) : ciphertext,
            random.Next(8) == 0 ? random.Next(-2, 20) : 0);
        var guard = network.Nodes.First(node => node.Ed25519 == path[0].Ed25519);
        return new($"{name} over {length} nodes, damaged at {depth}, sealed damaged at {sealedDepth}", new(guard.Url, "/onion_req/v2"), body, layerKeys);
    }

    private static StorageRequest CreateRequest(Random random, Ed25519KeyPair keys)
    {
        var (account, now) = (keys.SessionId, TestNetwork.Now);
        var data = new byte[random.Next(200)];
        random.NextBytes(data);
        MessageHashText[] hashes = [new(MessageHash.Compute(account, 0, data)), new(MessageHash.Compute(account, 2, data))];
        var token = new SubaccountToken(account.Prefix, SubaccountFlags.Read, keys.PublicKey);
        return random.Next(16) switch
        {
            0 or 1 or 2 => new StoreRequest { Account = account, Timestamp = now, Expiry = now + 60_000, Data = data },
            3 => new StoreRequest { Account = account, Timestamp = now, Expiry = now + 60_000, Data = data, Namespace = 2 }.SignWith(keys),
            4 or 5 => new RetrieveRequest { Account = account, Timestamp = now, MaxCount = random.Next(10), MaxSize = random.Next(-5, 1000) }.SignWith(keys),
            6 => new DeleteRequest { Account = account, Messages = [.. hashes] }.SignWith(keys),
            7 => new DeleteAllRequest { Account = account, Timestamp = now, Namespace = NamespaceSelector.All }.SignWith(keys),
            8 => new DeleteBeforeRequest { Account = account, Before = now }.SignWith(keys),
            9 => new ExpireRequest { Account = account, Messages = [.. hashes], Expiries = [now + 30_000, now + 40_000], Extend = true }.SignWith(keys),
            10 => new ExpireAllRequest { Account = account, Expiry = now + 30_000 }.SignWith(keys),
            11 => new GetExpiriesRequest { Account = account, Timestamp = now, Messages = [.. hashes] }.SignWith(keys),
            12 => new RevokeSubaccountRequest { Account = account, Timestamp = now, Tokens = [token] }.SignWith(keys),
            13 => new GetSwarmRequest { Account = account },
            14 => random.Next(2) == 0
                ? new OxendRequest { Endpoint = OxendRequest.GetServiceNodes, ParametersJson = """{"active_only":true,"limit":2,"fields":["public_ip"]}"""u8.ToArray() }
                : new OxendRequest { Endpoint = OxendRequest.OnsResolve, ParametersJson = """{"type":0,"name_hash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"""u8.ToArray() },
            _ => random.Next(3) switch
            {
                0 => new BatchRequest { Requests = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => CreateSimple(random, keys))] },
                1 => new SequenceRequest { Requests = [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => CreateSimple(random, keys))] },
                _ => new IfElseRequest
                {
                    Condition = new() { HeightAtLeast = 1, VersionBefore = [9, 9, 9] },
                    Then = CreateSimple(random, keys),
                    Else = new InfoRequest(),
                },
            },
        };
    }

    private static StorageRequest CreateSimple(Random random, Ed25519KeyPair keys)
    {
        while (true)
        {
            if (CreateRequest(random, keys) is var request and not (RequestList or IfElseRequest))
                return request;
        }
    }

    /// <summary>Damages one of the three parts of a combined payload: length, blob or JSON.</summary>
    private static byte[] DamagePayload(Random random, byte[] payload)
    {
        if (!CombinedPayload.TrySplit(payload, out var blob, out var json, out _))
            return DamageBytes(random, payload);
        switch (random.Next(5))
        {
            case 0:
                uint[] lengths = [0, 1, (uint)blob.Length - 1, (uint)blob.Length + 1, (uint)payload.Length - 4, int.MaxValue, 0x80000000, uint.MaxValue, (uint)random.Next()];
                BinaryPrimitives.WriteUInt32LittleEndian(payload, lengths[random.Next(lengths.Length)]);
                return payload;
            case 1:
                return CombinedPayload.Join(DamageBytes(random, blob.ToArray()), json.Span);
            case 2:
                return CombinedPayload.Join(blob.Span, DamageBytes(random, json.ToArray()));
            case 3:
                return CombinedPayload.Join(blob.Span, DamageJson(random, json.ToArray()));
            default:
                return DamageBytes(random, payload);
        }
    }

    /// <summary>Replaces a value of a JSON text by one of another type or size, nests it, doubles a member or takes it away.</summary>
    private static byte[] DamageJson(Random random, byte[] json)
    {
        var root = JsonNode.Parse(json)!;
        for (var times = Math.Max(1, random.Next(-3, 4)); times > 0; times--)
        {
            var places = new List<(JsonNode Parent, string? Name, int Index)>();
            Collect(root, places);
            if (places.Count == 0)
                break;
            var (parent, name, index) = places[random.Next(places.Count)];
            var value = random.Next(12) switch
            {
                < 4 => Placeholder(random.Next(Values.Length)),
                < 7 => Placeholder(1000 + random.Next(Numbers.Length)),
                7 => Placeholder(2000 + random.Next(3)), // deep nesting
                8 => Donor(random, places)?.DeepClone(), // a value from elsewhere: the right type in the wrong place
                9 => JsonValue.Create("@double"),
                _ => null,
            };
            if (parent is JsonArray array)
            {
                if (random.Next(3) == 0)
                    array.Add(value);
                else
                    array[index] = value;
            }
            else if (random.Next(5) == 0)
                parent.AsObject().Remove(name!);
            else if (random.Next(8) == 0)
                parent.AsObject()[name + "x"] = value;
            else
                parent.AsObject()[name!] = value;
        }

        var text = root.ToJsonString();
        for (var i = 0; i < Values.Length; i++)
            text = text.Replace($"\"@{i}@\"", Values[i], StringComparison.Ordinal);
        for (var i = 0; i < Numbers.Length; i++)
            text = text.Replace($"\"@{1000 + i}@\"", Numbers[i], StringComparison.Ordinal);
        int[] depths = [60, 70, 5000];
        for (var i = 0; i < depths.Length; i++)
            text = text.Replace($"\"@{2000 + i}@\"", new string('[', depths[i]) + new string(']', depths[i]), StringComparison.Ordinal);
        text = text.Replace("\"@double\"", "1,\"pubkey\":2,\"params\":{}", StringComparison.Ordinal);
        return Encoding.UTF8.GetBytes(text);

        static JsonNode Placeholder(int number) => JsonValue.Create($"@{number}@");
    }

    private static JsonNode? Donor(Random random, List<(JsonNode Parent, string? Name, int Index)> places)
    {
        var (parent, name, index) = places[random.Next(places.Count)];
        return name is null ? parent[index] : parent[name];
    }

    private static void Collect(JsonNode? node, List<(JsonNode, string?, int)> places)
    {
        if (node is JsonObject @object)
        {
            foreach (var (name, value) in @object)
            {
                places.Add((@object, name, 0));
                Collect(value, places);
            }
        }
        else if (node is JsonArray array)
        {
            for (var i = 0; i < array.Count; i++)
            {
                places.Add((array, null, i));
                Collect(array[i], places);
            }
        }
    }

    private static byte[] DamageBytes(Random random, byte[] bytes)
    {
        var result = bytes.ToList();
        for (var times = random.Next(1, 5); times > 0; times--)
        {
            var position = random.Next(result.Count + 1);
            var length = Math.Min(random.Next(1, 40), result.Count - position);
            switch (random.Next(9))
            {
                case 0 when position < result.Count:
                    result[position] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when position < result.Count:
                    result[position] = (byte)random.Next(256);
                    break;
                case 2:
                    result.RemoveRange(position, result.Count - position);
                    break;
                case 3:
                    result.RemoveRange(position, length);
                    break;
                case 4:
                    result.InsertRange(position, result.GetRange(position, length));
                    break;
                case 5: // not UTF-8
                    result.InsertRange(position, (byte[])[0xc0, 0x80, 0xff, 0xed, 0xa0, 0x80]);
                    break;
                case 6:
                    result.InsertRange(position, "\"\\{}[]:,0-9eEuldi\0"u8[random.Next(10)..].ToArray());
                    break;
                case 7:
                    result.AddRange(result.ToArray());
                    break;
                default:
                    var noise = new byte[random.Next(64)];
                    random.NextBytes(noise);
                    if (random.Next(4) == 0)
                        result.Clear();
                    result.InsertRange(Math.Min(position, result.Count), noise);
                    break;
            }
        }

        return [.. result];
    }
}
