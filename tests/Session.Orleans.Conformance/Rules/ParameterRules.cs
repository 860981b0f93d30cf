using System.Text;
using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Types and forms of parameters, with the exact texts.</summary>
[Section("storage-rpc.md", "2")]
public sealed class ParameterRules(Networks networks) : RuleSet(networks)
{
    private const string MustBeHash = "invalid message hash: ";

    [Theory]
    [Everywhere("store", "pubkey", "5", "string")]
    [Everywhere("store", "data", "[\"\"]", "string")]
    [Everywhere("retrieve", "last_hash", "{}", "string")]
    [Everywhere("retrieve", "signature", "true", "string")]
    [Everywhere("oxend_request", "endpoint", "1", "string")]
    [Everywhere("delete", "required", "1", "boolean")]
    [Everywhere("delete", "required", "\"true\"", "boolean")]
    [Everywhere("expire", "extend", "0", "boolean")]
    [Everywhere("expire", "shorten", "[]", "boolean")]
    [Everywhere("retrieve", "max_count", "1.5", "integer")]
    [Everywhere("retrieve", "max_count", "1e3", "integer")]
    [Everywhere("retrieve", "max_count", "\"1\"", "integer")]
    [Everywhere("retrieve", "max_size", "true", "integer")]
    [Everywhere("store", "timestamp", "1.5", "integer")]
    [Everywhere("store", "timestamp", "[1]", "integer")]
    [Everywhere("store", "ttl", "-1", "positive integer")]
    [Everywhere("store", "ttl", "0.5", "positive integer")]
    [Everywhere("retrieve", "timestamp", "-1", "integer timestamp (in milliseconds)")]
    [Everywhere("retrieve", "timestamp", "\"1750000000000\"", "integer timestamp (in milliseconds)")]
    [Everywhere("store", "expiry", "1e12", "integer timestamp (in milliseconds)")]
    [Everywhere("delete_before", "before", "1.5", "integer timestamp (in milliseconds)")]
    [Everywhere("store", "namespace", "\"0\"", "16-bit integer")]
    [Everywhere("store", "namespace", "1.0", "16-bit integer")]
    [Everywhere("retrieve", "namespace", "\"all\"", "16-bit integer")]
    [Everywhere("delete_all", "namespace", "\"some\"", "integer or \"all\"")]
    [Everywhere("delete_all", "namespace", "\"ALL\"", "integer or \"all\"")]
    [Everywhere("delete_before", "namespace", "\"0\"", "integer or \"all\"")]
    [Everywhere("expire_all", "namespace", "0.5", "integer or \"all\"")]
    [Everywhere("delete", "messages", "5", "string array")]
    [Everywhere("delete", "messages", "[5]", "string array")]
    [Everywhere("get_expiries", "messages", "{}", "string array")]
    [Everywhere("revoke_subaccount", "revoke", "[null]", "string array")]
    [Everywhere("expire", "expiry", "\"x\"", "timestamp array")]
    [Everywhere("expire", "expiry", "[-1]", "timestamp array")]
    [Everywhere("expire", "expiry", "[1.5]", "timestamp array")]
    public async Task Value_OfAnotherType_IsNamedWithWhatIsExpected(Store store, Transport via, string method, string field, string value, string expected)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync(method, mailbox.Anonymous().WithJson(field, value))).ShouldBeInvalid($"Invalid value given for '{field}': expected {expected}");
    }

    [Theory]
    [Everywhere("hf_at_least", "\"19\"")]
    [Everywhere("hf_before", "[\"19\"]")]
    [Everywhere("v_at_least", "[2.8]")]
    public async Task IntegerList_OfAnotherType_IsNamed(Store store, Transport via, string field, string value)
    {
        var request = Mailbox.Request("ifelse", new()
        {
            ["if"] = new JsonObject().WithJson(field, value),
            ["then"] = JsonNode.Parse("""{"method":"info","params":{}}"""),
        });

        (await (await MailboxAsync(store, via)).SendAsync(request)).ShouldBeInvalid($"Invalid value given for '{field}': expected integer array");
    }

    [Theory, Everywhere]
    public async Task Null_CountsAsAbsent(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.SendAsync("""{"method":"get_swarm","params":{"pubkey":null}}""")).ShouldBeInvalid("Required field 'pubkey' missing");
        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf().With("last_hash", null).With("max_count", null).With("subaccount", null));
    }

    [Theory, Everywhere]
    public async Task Types_AreCheckedInTheOrderOfTheNamesAndBeforeTheMethodsRules(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("store", mailbox.StoreOf("x").With("pubkey", 5).With("data", 5))).ShouldBeInvalid("Invalid value given for 'data': expected string");
        (await mailbox.CallAsync("store", mailbox.StoreOf("x").With("timestamp", "x").With("ttl", -1))).ShouldBeInvalid("Invalid value given for 'timestamp': \"x\"");
        (await mailbox.CallAsync("store", new() { ["ttl"] = -1 })).ShouldBeInvalid("Invalid value given for 'ttl': expected positive integer");
    }

    [Theory]
    [Everywhere("store", 32_768)]
    [Everywhere("store", -32_769)]
    [Everywhere("retrieve", 70_000)]
    [Everywhere("delete_all", 32_768)]
    [Everywhere("expire_all", -32_769)]
    public async Task Namespace_OutsideOf16Bits_IsOutOfRange(Store store, Transport via, string method, int value)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync(method, mailbox.Anonymous().With("namespace", value))).ShouldBeInvalid("Invalid value given for 'namespace': value out of range");
    }

    [Theory]
    [Everywhere(32_767)]
    [Everywhere(-32_768)]
    public async Task Namespace_AtTheEndsOf16Bits_IsAccepted(Store store, Transport via, int value)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("at the end", value);

        Assert.Equal([hash], await mailbox.HashesAsync(value));
    }

    [Theory]
    [Everywhere("retrieve", "timestamp")]
    [Everywhere("store", "expiry")]
    [Everywhere("store", "sig_timestamp")]
    [Everywhere("delete_all", "timestamp")]
    [Everywhere("delete_before", "before")]
    [Everywhere("expire_all", "expiry")]
    [Everywhere("get_expiries", "timestamp")]
    [Everywhere("revoke_subaccount", "timestamp")]
    public async Task Timestamp_InSeconds_IsRefused(Store store, Transport via, string method, string field)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync(method, mailbox.Anonymous().With(field, 999_999_999))).ShouldBeInvalid($"Invalid timestamp for '{field}': timestamp must be in milliseconds");
        // The smallest number that counts as milliseconds gets as far as the next error.
        var next = await mailbox.CallAsync(method, mailbox.Anonymous().With(field, 1_000_000_000));
        next.Should(!next.Text.Contains("milliseconds", StringComparison.Ordinal), "1000000000 to pass as milliseconds");
    }

    [Theory, Everywhere]
    public async Task StoreTimestampAndLists_InSeconds_AreNotRefusedForThat(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("store", mailbox.StoreOf("x").With("timestamp", 999).With("ttl", 10_000))).ShouldBe(406, "Timestamp error: check your clock");
        (await mailbox.CallAsync("expire", mailbox.ExpireOf([mailbox.Account.HashOf("x"u8)], "", 999))).ShouldBe(401, "expire: timestamp should be >= current time");
    }

    [Theory, Everywhere]
    public async Task StoreTimestampAndTtl_AsDecimalStrings_AreAccepted(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var now = mailbox.Now;
        var hash = await mailbox.StoreAsync(mailbox.StoreOf("x").With("timestamp", Text.Number(now)).With("ttl", "60000"));

        Assert.Equal(now + 60_000, (await mailbox.ExpiriesAsync(hash))[hash]);
    }

    [Theory]
    [Everywhere("timestamp", "\"\"")]
    [Everywhere("timestamp", "\"+5\"")]
    [Everywhere("timestamp", "\" 5\"")]
    [Everywhere("timestamp", "\"5 \"")]
    [Everywhere("timestamp", "\"1.5\"")]
    [Everywhere("timestamp", "\"0x10\"")]
    [Everywhere("ttl", "\"-5\"")]
    [Everywhere("ttl", "\"soon\"")]
    [Everywhere("ttl", "\"1e3\"")]
    public async Task StoreTimestampAndTtl_AsOtherStrings_AreShownWithTheirQuotes(Store store, Transport via, string field, string value)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("store", mailbox.StoreOf("x").WithJson(field, value))).ShouldBeInvalid($"Invalid value given for '{field}': {value}");
    }

    [Theory]
    [Everywhere("store", "timestamp", "Required field 'timestamp' missing")]
    [Everywhere("store", "ttl", "Required field 'expiry' or 'ttl' missing")]
    [Everywhere("store", "pubkey", "Required field 'pubkey' missing")]
    [Everywhere("store", "data", "Required field 'data' missing")]
    [Everywhere("retrieve", "pubkey", "Required field 'pubkey' missing")]
    [Everywhere("retrieve", "signature", "Required field 'signature' missing")]
    [Everywhere("retrieve", "timestamp", "Required field 'timestamp' missing")]
    [Everywhere("delete", "pubkey", "Required field 'pubkey' missing")]
    [Everywhere("delete", "messages", "Required field 'messages' missing")]
    [Everywhere("delete", "signature", "Required field 'signature' missing")]
    [Everywhere("delete_all", "pubkey", "Required field 'pubkey' missing")]
    [Everywhere("delete_all", "timestamp", "Required field 'timestamp' missing")]
    [Everywhere("delete_all", "signature", "Required field 'signature' missing")]
    [Everywhere("delete_before", "before", "Required field 'before' missing")]
    [Everywhere("delete_before", "signature", "Required field 'signature' missing")]
    [Everywhere("expire", "expiry", "Required field 'expiry' missing")]
    [Everywhere("expire", "messages", "Required field 'messages' missing")]
    [Everywhere("expire", "signature", "Required field 'signature' missing")]
    [Everywhere("expire_all", "expiry", "Required field 'expiry' missing")]
    [Everywhere("expire_all", "signature", "Required field 'signature' missing")]
    [Everywhere("get_expiries", "messages", "Required field 'messages' missing")]
    [Everywhere("get_expiries", "timestamp", "Required field 'timestamp' missing")]
    [Everywhere("get_expiries", "signature", "Required field 'signature' missing")]
    [Everywhere("revoke_subaccount", "revoke", "Required field 'revoke' missing")]
    [Everywhere("revoke_subaccount", "timestamp", "Required field 'timestamp' missing")]
    [Everywhere("revoke_subaccount", "signature", "Required field 'signature' missing")]
    [Everywhere("unrevoke_subaccount", "unrevoke", "Required field 'unrevoke' missing")]
    [Everywhere("oxend_request", "endpoint", "Required field 'endpoint' missing")]
    public async Task RequiredField_Missing_IsNamed(Store store, Transport via, string method, string field, string text)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync(method, Complete(mailbox, method).Without(field))).ShouldBeInvalid(text);
    }

    [Theory, Everywhere]
    public async Task Pair_WithBothGiven_IsRefused(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("store", mailbox.StoreOf("x").With("expiry", mailbox.Now + 60_000))).ShouldBeInvalid("Cannot specify both 'expiry' and 'ttl'");
        (await mailbox.CallAsync("store", mailbox.StoreOf("x").With("pubKey", mailbox.Account.Hex))).ShouldBeInvalid("Cannot specify both 'pubkey' and 'pubKey'");
        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("pubKey", mailbox.Account.Hex))).ShouldBeInvalid("Cannot specify both 'pubkey' and 'pubKey'");
        (await mailbox.CallAsync("get_swarm", mailbox.Anonymous().With("pubKey", mailbox.Account.Hex))).ShouldBeInvalid("Cannot specify both 'pubkey' and 'pubKey'");
    }

    [Theory]
    [Everywhere("store")]
    [Everywhere("retrieve")]
    [Everywhere("get_swarm")]
    [Everywhere("get_snodes_for_pubkey")]
    public async Task PubKey_IsAnAliasOfPubkey(Store store, Transport via, string method)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.CallOkAsync(method, Complete(mailbox, method).Without("pubkey").With("pubKey", mailbox.Account.Hex));
    }

    [Theory]
    [Everywhere("delete")]
    [Everywhere("expire")]
    [Everywhere("get_expiries")]
    public async Task PubKey_IsNoAliasElsewhere(Store store, Transport via, string method)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync(method, Complete(mailbox, method).Without("pubkey").With("pubKey", mailbox.Account.Hex))).ShouldBeInvalid("Required field 'pubkey' missing");
    }

    [Theory]
    [Everywhere("store", "")]
    [Everywhere("store", "05ab")]
    [Everywhere("retrieve", "0500000000000000000000000000000000000000000000000000000000000000zz")]
    [Everywhere("delete_all", "0x05000000000000000000000000000000000000000000000000000000000000000000")]
    [Everywhere("expire", "050000000000000000000000000000000000000000000000000000000000000000 ")]
    public async Task Pubkey_OfAnotherForm_IsRefused(Store store, Transport via, string method, string pubkey)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync(method, Complete(mailbox, method).With("pubkey", pubkey))).ShouldBeInvalid("Pubkey must be 66 hex digits (33 bytes) long");
    }

    [Theory]
    [Everywhere("get_swarm")]
    [Everywhere("get_snodes_for_pubkey")]
    public async Task Pubkey_OfAnotherForm_HasATextOfItsOwnInGetSwarm(Store store, Transport via, string method) =>
        (await (await MailboxAsync(store, via)).CallAsync(method, new() { ["pubkey"] = "05ab" })).ShouldBeInvalid("Pubkey must be 66 hex digits/33 bytes long");

    [Theory, Everywhere]
    public async Task Pubkey_InUpperCase_IsTheSameAccount(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync(mailbox.StoreOf("x").With("pubkey", mailbox.Account.Hex.ToUpperInvariant()));

        Assert.Equal([hash], await mailbox.HashesAsync());
    }

    [Theory, Everywhere]
    public async Task Pubkey_As33RawBytes_IsTheSameAccount(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        const string Raw = "\u00053 letters make an account's key.";
        Assert.Equal(33, Encoding.UTF8.GetByteCount(Raw));

        var raw = await mailbox.CallOkAsync("get_swarm", new() { ["pubkey"] = Raw });
        var hex = await mailbox.CallOkAsync("get_swarm", new() { ["pubkey"] = Convert.ToHexString(Encoding.UTF8.GetBytes(Raw)) });
        Assert.Equal(hex.GetProperty("swarm").GetString(), raw.GetProperty("swarm").GetString());
    }

    [Theory, Everywhere]
    public async Task Pubkey_Of64Digits_IsASessionIdOnATestNetwork(Store store, Transport via)
    {
        Networks.RequireOwnNetwork("one that is a test network for certain");
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync(mailbox.StoreOf("x").With("pubkey", mailbox.Account.Hex[2..]));

        Assert.Equal([hash], await mailbox.HashesAsync());
    }

    [Theory]
    [Everywhere((byte)0)]
    [Everywhere((byte)7)]
    [Everywhere((byte)0x15)]
    [Everywhere((byte)0x25)]
    [Everywhere((byte)0xff)]
    public async Task Pubkey_WithAnyPrefix_IsAnAccount(Store store, Transport via, byte prefix)
    {
        var mailbox = await GroupAsync(store, via, prefix);
        var hash = await mailbox.StoreAsync("x");

        Assert.Equal(mailbox.Account.HashOf("x"u8), hash);
        Assert.Equal([hash], await mailbox.HashesAsync());
    }

    [Theory]
    [Everywhere("YQ", "a")]
    [Everywhere("YQ==", "a")]
    [Everywhere("YWI", "ab")]
    [Everywhere("YWI=", "ab")]
    [Everywhere("YWJj", "abc")]
    [Everywhere("", "")]
    public async Task Base64_WithOrWithoutPadding_IsAccepted(Store store, Transport via, string base64, string data)
    {
        var mailbox = await MailboxAsync(store, via);

        Assert.Equal(mailbox.Account.HashOf(Encoding.ASCII.GetBytes(data)), await mailbox.StoreAsync(mailbox.StoreOf("").With("data", base64)));
    }

    [Theory]
    [Everywhere("Y")]
    [Everywhere("YWJjY")]
    [Everywhere("YQ=")]
    [Everywhere("YWI==")]
    [Everywhere("YWJj=")]
    [Everywhere("YWJj====")]
    [Everywhere("=")]
    [Everywhere("YQ==YQ==")]
    [Everywhere("YW Jj")]
    [Everywhere("YWJj\n")]
    [Everywhere("YW-_")]
    [Everywhere("ÄÖÜß")]
    public async Task Base64_OfAnotherForm_IsRefused(Store store, Transport via, string base64)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("store", mailbox.StoreOf("").With("data", base64))).ShouldBeInvalid("Invalid 'data' value: not base64 encoded");
    }

    [Theory, Everywhere]
    public async Task Base64_OfReplies_IsPadded(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        foreach (var data in (string[])["a", "ab", "abc"])
            await mailbox.StoreAsync(data);

        var messages = (await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf())).GetProperty("messages");
        Assert.Equal(["YQ==", "YWI=", "YWJj"], messages.EnumerateArray().Select(message => message.GetProperty("data").GetString()));
    }

    [Theory, Everywhere]
    public async Task Signature_WithOrWithoutPadding_IsAccepted(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var retrieve = mailbox.RetrieveOf();
        var signature = retrieve["signature"]!.GetValue<string>();
        Assert.Equal(88, signature.Length);

        await mailbox.CallOkAsync("retrieve", retrieve);
        await mailbox.CallOkAsync("retrieve", retrieve.With("signature", signature.TrimEnd('=')));
    }

    [Theory]
    [Everywhere("")]
    [Everywhere("AAAA")]
    [Everywhere("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [Everywhere("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [Everywhere("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [Everywhere("********************************************************************************AAAAAA")]
    public async Task Signature_OfAnotherForm_IsRefused(Store store, Transport via, string signature)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("signature", signature)))
            .ShouldBeInvalid("invalid signature: expected base64 encoded Ed25519 signature");
    }

    [Theory, Everywhere]
    public async Task PubkeyEd25519_WithAnotherPrefixThan05_IsRefused(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("pubkey_ed25519", mailbox.Account.SigningKeyHex)))
            .ShouldBeInvalid("pubkey_ed25519 is only permitted for 05[...] pubkeys");
    }

    [Theory]
    [Everywhere("zz00000000000000000000000000000000000000000000000000000000000000", "invalid pubkey_ed25519: value is not hex")]
    [Everywhere("", "Invalid pubkey_ed25519: expected 64 hex char or 32 byte pubkey")]
    [Everywhere("ab", "Invalid pubkey_ed25519: expected 64 hex char or 32 byte pubkey")]
    [Everywhere("000000000000000000000000000000000000000000000000000000000000000000", "Invalid pubkey_ed25519: expected 64 hex char or 32 byte pubkey")]
    public async Task PubkeyEd25519_OfAnotherForm_IsRefused(Store store, Transport via, string key, string text)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("pubkey_ed25519", key))).ShouldBeInvalid(text);
    }

    [Theory, Everywhere]
    public async Task PubkeyEd25519_InUpperCaseOrRaw_IsWellFormed(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf().With("pubkey_ed25519", mailbox.Account.SigningKeyHex.ToUpperInvariant()));
        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("pubkey_ed25519", "thirty-two letters make up a key")))
            .ShouldBe(401, "retrieve signature verification failed");
    }

    [Theory, Everywhere]
    public async Task PubkeyEd25519_IsCheckedAfterTheSignatureIsThereAndBeforeItsForm(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("pubkey_ed25519", "ab").With("pubkey", "05")))
            .ShouldBeInvalid("Pubkey must be 66 hex digits (33 bytes) long");
        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("pubkey_ed25519", "ab").Without("signature")))
            .ShouldBeInvalid("Required field 'signature' missing");
        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("pubkey_ed25519", "ab").With("signature", "x")))
            .ShouldBeInvalid("Invalid pubkey_ed25519: expected 64 hex char or 32 byte pubkey");
    }

    [Theory]
    [Everywhere("abc")]
    [Everywhere("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [Everywhere("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*")]
    [Everywhere("zz0000000000000000000000000000000000000000000000000000000000000000000000")]
    public async Task Subaccount_OfAnotherForm_IsRefused(Store store, Transport via, string token)
    {
        var mailbox = await GroupAsync(store, via);
        var retrieve = mailbox.RetrieveOf(by: new(mailbox.Account, Subaccount.Read));

        (await mailbox.CallAsync("retrieve", retrieve.With("subaccount", token)))
            .ShouldBeInvalid("invalid subaccount: expected base64 or hex-encoded subaccount token");
    }

    [Theory, Everywhere]
    public async Task Subaccount_AsHex_IsAccepted(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var subaccount = new Subaccount(mailbox.Account, Subaccount.Read);

        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf(by: subaccount).With("subaccount", Convert.ToHexStringLower(subaccount.Token)));
        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf(by: subaccount).With("subaccount", Convert.ToHexString(subaccount.Token)));
    }

    [Theory, Everywhere]
    public async Task Subaccount_Empty_CountsAsAbsent(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);

        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf().With("subaccount", "").With("subaccount_sig", "nonsense"));
    }

    [Theory, Everywhere]
    public async Task SubaccountSig_MissingOrOfAnotherForm_IsRefused(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var retrieve = mailbox.RetrieveOf(by: new(mailbox.Account, Subaccount.Read));

        (await mailbox.CallAsync("retrieve", retrieve.With("subaccount_sig", "AAAA")))
            .ShouldBeInvalid("invalid subaccount signature: expected base64 encoded Ed25519 signature");
        (await mailbox.CallAsync("retrieve", retrieve.Without("subaccount_sig")))
            .ShouldBeInvalid("invalid subaccount: subaccount_sig is required when using subaccount");
    }

    [Theory]
    [Everywhere("delete", "abc")]
    [Everywhere("delete", "")]
    [Everywhere("delete", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    [Everywhere("delete", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*")]
    [Everywhere("expire", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [Everywhere("expire", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-")]
    public async Task MessageHash_OfAnotherForm_IsShown(Store store, Transport via, string method, string hash)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync(method, Complete(mailbox, method).With("messages", new JsonArray(mailbox.Account.HashOf("x"u8), hash)))).ShouldBeInvalid(MustBeHash + hash);
    }

    [Theory, Everywhere]
    public async Task List_OfOne_MayBeTheElementAlone(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var hash = await mailbox.StoreAsync("x");

        await mailbox.CallOkAsync("expire", mailbox.ExpireOf([hash], "", mailbox.Now + Mailbox.Hour).With("messages", hash));
        var get = await mailbox.CallOkAsync("get_expiries", mailbox.GetExpiriesOf([hash]).With("messages", hash));
        Assert.Equal([hash], get.GetProperty("expiries").Names());
        var delete = await mailbox.CallAsync("delete", mailbox.DeleteOf([hash]).With("messages", hash));
        Assert.Equal([hash], mailbox.CheckSwarm(delete, _ => mailbox.Account.Hex + hash + hash).GetProperty("deleted").Strings());
    }

    private static JsonObject Complete(Mailbox mailbox, string method)
    {
        string[] hashes = [mailbox.Account.HashOf("some message"u8)];
        return method switch
        {
            "store" => mailbox.StoreOf("x"),
            "retrieve" => mailbox.RetrieveOf(),
            "delete" => mailbox.DeleteOf(hashes),
            "delete_all" or "delete_before" or "expire_all" => mailbox.AllOf(method, mailbox.Now),
            "expire" => mailbox.ExpireOf(hashes, "", mailbox.Now + Mailbox.Hour),
            "get_expiries" => mailbox.GetExpiriesOf(hashes),
            "revoke_subaccount" or "unrevoke_subaccount" => mailbox.RevocationOf(method, [new Subaccount(mailbox.Account, Subaccount.Read).Token]),
            "get_swarm" or "get_snodes_for_pubkey" => mailbox.Anonymous(),
            "oxend_request" => new() { ["endpoint"] = "get_service_nodes" },
            _ => throw new ArgumentOutOfRangeException(nameof(method)),
        };
    }
}
