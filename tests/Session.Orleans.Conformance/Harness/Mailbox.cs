using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Session.Orleans.Conformance.Harness;

/// <summary>An account of one test, the network it is on and the way its requests take: to one member of its swarm.</summary>
internal sealed class Mailbox
{
    public const long Second = 1000, Hour = 3_600_000, Day = 86_400_000;

    public Mailbox(Network network, Transport via, Account account)
    {
        (Network, Via, Account) = (network, via, account);
        Swarm = network.SwarmOf(account.Bytes.AsSpan(1));
        Node = Swarm[Random.Shared.Next(Swarm.Count)];
    }

    public Network Network { get; }

    public Transport Via { get; }

    public Account Account { get; }

    /// <summary>The members of the account's swarm.</summary>
    public IReadOnlyList<Node> Swarm { get; }

    /// <summary>The member that answers.</summary>
    public Node Node { get; }

    /// <summary>A node of another swarm.</summary>
    public Node Stranger => Network.Nodes.Except(Swarm).First();

    public long Now => Network.Now;

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>The account's name, nothing else.</summary>
    public JsonObject Anonymous() => new() { ["pubkey"] = Account.Hex };

    /// <summary>The account's name and its signature of a text.</summary>
    public JsonObject Signed(string text) => Signed(Bytes(text));

    public JsonObject Signed(ReadOnlySpan<byte> text)
    {
        var parameters = Anonymous();
        if (Account.NeedsEd25519)
            parameters["pubkey_ed25519"] = Account.SigningKeyHex;
        parameters["signature"] = Account.Sign(text);
        return parameters;
    }

    /// <summary>The account's name and a subaccount's signature of a text.</summary>
    public JsonObject SignedBy(Subaccount subaccount, string text)
    {
        var parameters = Anonymous();
        if (Account.NeedsEd25519)
            parameters["pubkey_ed25519"] = Account.SigningKeyHex;
        parameters["signature"] = subaccount.Sign(text);
        parameters["subaccount"] = subaccount.TokenBase64;
        parameters["subaccount_sig"] = subaccount.TokenSignature;
        return parameters;
    }

    /// <summary>Parameters of a <c>store</c> that lives for an hour, signed where its namespace wants it.</summary>
    public JsonObject StoreOf(ReadOnlySpan<byte> data, int @namespace = 0, long? timestamp = null, long ttl = Hour, Subaccount? by = null)
    {
        var time = timestamp ?? Now;
        var text = $"store{Text.Namespace(@namespace)}{Text.Number(time)}";
        return (by is not null ? SignedBy(by, text) : @namespace % 10 == 0 ? Anonymous() : Signed(text))
            .With("timestamp", time).With("ttl", ttl).With("data", Convert.ToBase64String(data)).With("namespace", @namespace);
    }

    public JsonObject StoreOf(string data, int @namespace = 0) => StoreOf(Bytes(data), @namespace);

    /// <summary>Parameters of a signed <c>retrieve</c>.</summary>
    public JsonObject RetrieveOf(int @namespace = 0, long? timestamp = null, Subaccount? by = null)
    {
        var time = timestamp ?? Now;
        var text = $"retrieve{Text.Namespace(@namespace)}{Text.Number(time)}";
        return (by is null ? Signed(text) : SignedBy(by, text)).With("namespace", @namespace).With("timestamp", time);
    }

    /// <summary>Parameters of <c>delete</c>.</summary>
    public JsonObject DeleteOf(IReadOnlyList<string> hashes, Subaccount? by = null)
    {
        var text = "delete" + string.Concat(hashes);
        return (by is null ? Signed(text) : SignedBy(by, text)).With("messages", List(hashes));
    }

    /// <summary>Parameters of <c>delete_all</c>, <c>delete_before</c> or <c>expire_all</c>.</summary>
    /// <param name="method">Which of the three.</param>
    /// <param name="time">What the method calls its time.</param>
    /// <param name="scope">A namespace, "all", or null to give none.</param>
    /// <param name="by">Who signs, if not the account.</param>
    public JsonObject AllOf(string method, long time, string? scope = null, Subaccount? by = null)
    {
        var text = method + (scope is "0" or null ? "" : scope) + Text.Number(time);
        var parameters = (by is null ? Signed(text) : SignedBy(by, text))
            .With(method switch { "delete_all" => "timestamp", "delete_before" => "before", _ => "expiry" }, time);
        return scope switch
        {
            null => parameters,
            "all" => parameters.With("namespace", "all"),
            _ => parameters.With("namespace", int.Parse(scope, System.Globalization.CultureInfo.InvariantCulture)),
        };
    }

    /// <summary>Parameters of <c>expire</c>.</summary>
    /// <param name="hashes">The messages.</param>
    /// <param name="mode"><c>shorten</c>, <c>extend</c> or empty.</param>
    /// <param name="by">Who signs, if not the account.</param>
    /// <param name="expiries">One, or one per message.</param>
    public JsonObject ExpireOf(IReadOnlyList<string> hashes, string mode, Subaccount? by, params long[] expiries)
    {
        var text = "expire" + mode + string.Concat(expiries.Select(Text.Number)) + string.Concat(hashes);
        var parameters = (by is null ? Signed(text) : SignedBy(by, text)).With("messages", List(hashes))
            .With("expiry", expiries.Length == 1 ? expiries[0] : new JsonArray([.. expiries.Select(expiry => JsonValue.Create(expiry))]));
        return mode.Length == 0 ? parameters : parameters.With(mode, true);
    }

    public JsonObject ExpireOf(IReadOnlyList<string> hashes, string mode, params long[] expiries) => ExpireOf(hashes, mode, null, expiries);

    /// <summary>Parameters of <c>get_expiries</c>.</summary>
    public JsonObject GetExpiriesOf(IReadOnlyList<string> hashes, long? timestamp = null, Subaccount? by = null)
    {
        var time = timestamp ?? Now;
        var text = $"get_expiries{Text.Number(time)}{string.Concat(hashes)}";
        return (by is null ? Signed(text) : SignedBy(by, text)).With("messages", List(hashes)).With("timestamp", time);
    }

    /// <summary>Parameters of <c>revoke_subaccount</c> or <c>unrevoke_subaccount</c>.</summary>
    public JsonObject RevocationOf(string method, IReadOnlyList<byte[]> tokens, long? timestamp = null)
    {
        var time = timestamp ?? Now;
        byte[] text = [.. Bytes(method + Text.Number(time)), .. tokens.SelectMany(token => token)];
        return Signed(text).With("timestamp", time)
            .With(method is "revoke_subaccount" ? "revoke" : "unrevoke", List([.. tokens.Select(Convert.ToBase64String)]));
    }

    public static JsonArray List(IReadOnlyList<string> texts) => new([.. texts.Select(text => JsonValue.Create(text))]);

    public static string Request(string method, JsonObject parameters) =>
        new JsonObject { ["method"] = method, ["params"] = parameters.DeepClone() }.ToJsonString(Relaxed);

    public Task<Answer> SendAsync(string request) => Network.SendAsync(Node, Via, request);

    public Task<Answer> CallAsync(string method, JsonObject parameters, Node? node = null) =>
        Network.SendAsync(node ?? Node, Via, Request(method, parameters));

    public async Task<JsonElement> CallOkAsync(string method, JsonObject parameters, Node? node = null) =>
        (await CallAsync(method, parameters, node)).ShouldBeJson();

    /// <summary>Stores a message that must be accepted; returns its hash.</summary>
    public async Task<string> StoreAsync(JsonObject parameters) => (await CallOkAsync("store", parameters)).GetProperty("hash").GetString()!;

    public Task<string> StoreAsync(string data, int @namespace = 0) => StoreAsync(StoreOf(data, @namespace));

    /// <summary>Hashes in the order of the mailbox.</summary>
    public async Task<string[]> HashesAsync(int @namespace = 0) =>
        [.. (await CallOkAsync("retrieve", RetrieveOf(@namespace))).GetProperty("messages").EnumerateArray().Select(message => message.GetProperty("hash").GetString()!)];

    /// <summary>The stored expiry of each message that exists.</summary>
    public async Task<Dictionary<string, long>> ExpiriesAsync(params string[] hashes) =>
        (await CallOkAsync("get_expiries", GetExpiriesOf(hashes))).GetProperty("expiries").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt64());

    /// <summary>
    /// Checks the reply of a swarm-wide method (storage-rpc.md, 7): one good entry per member, each with that member's signature over the text
    /// that <paramref name="signedText"/> builds from the entry.
    /// </summary>
    /// <returns>The entry of the node that answered.</returns>
    public JsonElement CheckSwarm(Answer answer, Func<JsonElement, string> signedText) =>
        CheckSwarm(answer, entry => Bytes(signedText(entry)));

    public JsonElement CheckSwarm(Answer answer, Func<JsonElement, byte[]> signedText, int status = 200)
    {
        var json = answer.ShouldBeJson(status);
        answer.Should(json.TryGetProperty("t", out _) && json.TryGetProperty("hf", out _), "'t' and 'hf' at the top level");
        var entries = json.GetProperty("swarm").EnumerateObject().ToArray();
        answer.Should(Text.Sorted(entries.Select(entry => entry.Name)).SequenceEqual(Text.Sorted(Swarm.Select(node => node.Ed25519Hex))),
            "one entry per swarm member: " + string.Join(", ", Swarm.Select(node => node.Ed25519Hex)));
        foreach (var entry in entries)
        {
            answer.Should(!entry.Value.TryGetProperty("failed", out _), "no failed member");
            var text = signedText(entry.Value);
            var signature = Convert.FromBase64String(entry.Value.GetProperty("signature").GetString()!);
            answer.Should(signature.Length == 64 && Crypto.Verify(Convert.FromHexString(entry.Name), text, signature),
                $"{entry.Name} signs: {Encoding.UTF8.GetString(text)}");
        }

        return json.GetProperty("swarm").GetProperty(Node.Ed25519Hex);
    }

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}

/// <summary>Small steps on JSON.</summary>
internal static class JsonExtensions
{
    /// <summary>Sets a member; null removes it.</summary>
    public static JsonObject With(this JsonObject json, string name, JsonNode? value)
    {
        json[name] = value;
        return json;
    }

    /// <summary>Sets a member to a value given as JSON text.</summary>
    public static JsonObject WithJson(this JsonObject json, string name, string value) => json.With(name, JsonNode.Parse(value));

    public static JsonObject Without(this JsonObject json, string name)
    {
        json.Remove(name);
        return json;
    }

    public static string[] Names(this JsonElement json) => Text.Sorted(json.EnumerateObject().Select(member => member.Name));

    public static string[] Strings(this JsonElement json) => [.. json.EnumerateArray().Select(element => element.GetString()!)];
}

/// <summary>Base of the rule groups.</summary>
public abstract class RuleSet(Networks networks)
{
    private protected Networks Networks => networks;

    /// <summary>A fresh Session ID.</summary>
    private protected async Task<Mailbox> MailboxAsync(Store store, Transport via) => new(await networks.GetAsync(store), via, Account.Session());

    /// <summary>A fresh account that signs with the key in its name.</summary>
    private protected async Task<Mailbox> GroupAsync(Store store, Transport via, byte prefix = 0x03) =>
        new(await networks.GetAsync(store), via, Account.Group(prefix));

    private protected async Task<Network> NetworkAsync(Store store) => await networks.GetAsync(store);
}
