using System.Globalization;
using System.Numerics;
using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Which key verifies a request.</summary>
[Section("storage-rpc.md", "3.1")]
public sealed class SignatureRules(Networks networks) : RuleSet(networks)
{
    private const string Failed = "retrieve signature verification failed";

    // The order of the group that signatures live in.
    private static readonly BigInteger Order = BigInteger.Pow(2, 252) + BigInteger.Parse("27742317777372353535851937790883648493", CultureInfo.InvariantCulture);

    [Theory, Everywhere]
    public async Task SessionId_IsVerifiedWithThePubkeyEd25519(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf());
    }

    [Theory, Everywhere]
    public async Task SessionId_WithoutPubkeyEd25519_Fails(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().Without("pubkey_ed25519"))).ShouldBe(401, Failed);
    }

    [Theory, Everywhere]
    public async Task SessionId_WhosePubkeyEd25519IsAnothers_Fails(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var other = Account.Session();
        var time = mailbox.Now;

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(timestamp: time).With("pubkey_ed25519", other.SigningKeyHex)
            .With("signature", other.Sign($"retrieve{Text.Number(time)}")))).ShouldBe(401, Failed);
    }

    [Theory]
    [Everywhere("0100000000000000000000000000000000000000000000000000000000000000")] // the neutral element
    [Everywhere("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")] // order 2
    [Everywhere("0000000000000000000000000000000000000000000000000000000000000000")] // order 4
    [Everywhere("0200000000000000000000000000000000000000000000000000000000000000")] // not on the curve
    [Everywhere("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]
    public async Task SessionId_WhosePubkeyEd25519HasNoX25519Form_Fails(Store store, Transport via, string key)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf().With("pubkey_ed25519", key))).ShouldBe(401, Failed);
    }

    [Theory]
    [Everywhere((byte)0x03)]
    [Everywhere((byte)0x05)]
    [Everywhere((byte)0x25)]
    public async Task AccountWithoutPubkeyEd25519_IsVerifiedWithItsOwnKey(Store store, Transport via, byte prefix)
    {
        var mailbox = await GroupAsync(store, via, prefix);

        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf());
    }

    [Theory, Everywhere]
    public async Task Signature_OfAnotherKeyOrText_Fails(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var time = mailbox.Now;

        foreach (var signature in (string[])
            [
                Account.Group().Sign($"retrieve{Text.Number(time)}"),
                mailbox.Account.Sign($"retrieve{Text.Number(time + 1)}"),
                mailbox.Account.Sign($"retrieve0{Text.Number(time)}"),
                mailbox.Account.Sign($"Retrieve{Text.Number(time)}"),
                mailbox.Account.Sign(""),
            ])
        {
            (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(timestamp: time).With("signature", signature))).ShouldBe(401, Failed);
        }
    }

    [Theory]
    [Everywhere(0)]
    [Everywhere(31)]
    [Everywhere(32)]
    [Everywhere(63)]
    public async Task Signature_WithOneBitFlipped_Fails(Store store, Transport via, int at)
    {
        var mailbox = await GroupAsync(store, via);
        var retrieve = mailbox.RetrieveOf();
        var bytes = Convert.FromBase64String(retrieve["signature"]!.GetValue<string>());
        bytes[at] ^= 1;

        (await mailbox.CallAsync("retrieve", retrieve.With("signature", Convert.ToBase64String(bytes)))).ShouldBe(401, Failed);
    }

    [Theory, Everywhere]
    public async Task Signature_WithANonCanonicalS_Fails(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var retrieve = mailbox.RetrieveOf();
        var bytes = Convert.FromBase64String(retrieve["signature"]!.GetValue<string>());
        var s = new BigInteger(bytes.AsSpan(32), isUnsigned: true) + Order; // the same number modulo the order
        Assert.True(s.TryWriteBytes(bytes.AsSpan(32), out _, isUnsigned: true));

        (await mailbox.CallAsync("retrieve", retrieve.With("signature", Convert.ToBase64String(bytes)))).ShouldBe(401, Failed);
    }

    [Theory]
    [Everywhere("0100000000000000000000000000000000000000000000000000000000000000")]
    [Everywhere("0000000000000000000000000000000000000000000000000000000000000000")]
    [Everywhere("0000000000000000000000000000000000000000000000000000000000000080")]
    [Everywhere("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")]
    [Everywhere("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")]
    [Everywhere("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")]
    public async Task Key_OfSmallOrder_NeverVerifies(Store store, Transport via, string key)
    {
        var network = await NetworkAsync(store);
        var node = network.SwarmOf(Convert.FromHexString(key))[0];
        // For such keys R = neutral element and S = 0 satisfy the bare equation.
        var signature = Convert.ToBase64String([1, .. new byte[63]]);
        var request = Mailbox.Request("retrieve", new() { ["pubkey"] = "03" + key, ["timestamp"] = network.Now, ["signature"] = signature });

        (await network.SendAsync(node, via, request)).ShouldBe(401, Failed);
    }

    [Theory]
    [Everywhere("store", "store signature verification failed")]
    [Everywhere("retrieve", "retrieve signature verification failed")]
    [Everywhere("get_expiries", "get_expiries signature verification failed")]
    [Everywhere("delete", "delete_msgs signature verification failed")]
    [Everywhere("delete_all", "delete_all signature verification failed")]
    [Everywhere("delete_before", "delete_before signature verification failed")]
    [Everywhere("expire", "expire: signature verification failed")]
    [Everywhere("expire_all", "expire_all signature verification failed")]
    [Everywhere("revoke_subaccount", "revoke_subaccount signature verification failed")]
    [Everywhere("unrevoke_subaccount", "unrevoke_subaccount signature verification failed")]
    public async Task EveryMethod_WithAnothersSignature_AnswersItsOwn401(Store store, Transport via, string method, string text)
    {
        var mailbox = await MailboxAsync(store, via);
        string[] hashes = [mailbox.Account.HashOf("x"u8)];
        JsonObject parameters = method switch
        {
            "store" => mailbox.StoreOf("x", 1),
            "retrieve" => mailbox.RetrieveOf(),
            "get_expiries" => mailbox.GetExpiriesOf(hashes),
            "delete" => mailbox.DeleteOf(hashes),
            "expire" => mailbox.ExpireOf(hashes, "", mailbox.Now + Mailbox.Hour),
            "revoke_subaccount" or "unrevoke_subaccount" => mailbox.RevocationOf(method, [new byte[36]]),
            _ => mailbox.AllOf(method, mailbox.Now),
        };

        (await mailbox.CallAsync(method, parameters.With("signature", Account.Session().Sign("something else")))).ShouldBe(401, text);
    }
}

/// <summary>What subaccount tokens allow.</summary>
[Section("storage-rpc.md", "3.2")]
public sealed class SubaccountRules(Networks networks) : RuleSet(networks)
{
    private const int All = 16;

    [Theory]
    [Everywhere("retrieve", Subaccount.Read, "retrieve signature verification failed")]
    [Everywhere("get_expiries", Subaccount.Read, "get_expiries signature verification failed")]
    [Everywhere("store", Subaccount.Write, "store signature verification failed")]
    [Everywhere("store to a public outbox", Subaccount.Write | Subaccount.Delete, "store signature verification failed")]
    [Everywhere("expire", Subaccount.Write, "expire: signature verification failed")]
    [Everywhere("delete", Subaccount.Delete, "delete_msgs signature verification failed")]
    [Everywhere("delete_all", Subaccount.Delete, "delete_all signature verification failed")]
    [Everywhere("delete_before", Subaccount.Delete, "delete_before signature verification failed")]
    [Everywhere("expire_all", Subaccount.Delete, "expire_all signature verification failed")]
    public async Task Method_IsAllowedIfAllItsBitsAreSet(Store store, Transport via, string method, int required, string refusal)
    {
        var mailbox = await GroupAsync(store, via);
        for (var flags = 0; flags < All; flags++)
        {
            var answer = await CallAsync(mailbox, method, new Subaccount(mailbox.Account, flags));
            if ((flags & required) == required)
                answer.ShouldBeJson();
            else
                answer.ShouldBe(401, refusal);
        }
    }

    [Theory, Everywhere]
    public async Task Token_OfASessionId_WorksToo(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await CallAsync(mailbox, "retrieve", new(mailbox.Account, Subaccount.Read))).ShouldBeJson();
    }

    [Theory, Everywhere]
    public async Task Token_WithAnotherPrefix_NeedsAnyPrefix(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);

        (await CallAsync(mailbox, "retrieve", new(mailbox.Account, Subaccount.Read, prefix: 0x25))).ShouldBe(401, "retrieve signature verification failed");
        (await CallAsync(mailbox, "retrieve", new(mailbox.Account, Subaccount.Read | Subaccount.AnyPrefix, prefix: 0x25))).ShouldBeJson();
    }

    [Theory, Everywhere]
    public async Task Token_WithReservedBytesAndHigherBits_IsNotLookedAtThere(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);

        (await CallAsync(mailbox, "retrieve", new(mailbox.Account, 0xf0 | Subaccount.Read, reserved: 0xbeef))).ShouldBeJson();
        (await CallAsync(mailbox, "retrieve", new(mailbox.Account, 0xf0, reserved: 0xbeef))).ShouldBe(401, "retrieve signature verification failed");
    }

    [Theory, Everywhere]
    public async Task Token_SignedByAnother_Fails(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);

        (await CallAsync(mailbox, "retrieve", new(mailbox.Account, Subaccount.Read, signer: Account.Group()))).ShouldBe(401, "retrieve signature verification failed");
    }

    [Theory, Everywhere]
    public async Task Request_SignedByTheAccountInsteadOfTheToken_Fails(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var time = mailbox.Now;

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(timestamp: time, by: new(mailbox.Account, Subaccount.Read))
            .With("signature", mailbox.Account.Sign($"retrieve{Text.Number(time)}")))).ShouldBe(401, "retrieve signature verification failed");
    }

    [Theory]
    [Everywhere("revoke_subaccount")]
    [Everywhere("unrevoke_subaccount")]
    public async Task Revocation_NeverTakesASubaccount(Store store, Transport via, string method)
    {
        var mailbox = await GroupAsync(store, via);
        var subaccount = new Subaccount(mailbox.Account, All - 1);
        var parameters = mailbox.RevocationOf(method, [new Subaccount(mailbox.Account, 0).Token]).With("subaccount", subaccount.TokenBase64).With("subaccount_sig", subaccount.TokenSignature);

        (await mailbox.CallAsync(method, parameters)).ShouldBeJson(); // the account's own signature; the token is ignored
        (await mailbox.CallAsync(method, parameters.With("subaccount", "nonsense"))).ShouldBeJson();
        (await mailbox.CallAsync(method, parameters.With("signature", subaccount.Sign("anything")))).ShouldBe(401, method + " signature verification failed");
    }

    private static Task<Answer> CallAsync(Mailbox mailbox, string method, Subaccount by)
    {
        string[] hashes = [mailbox.Account.HashOf("some message"u8)];
        return method switch
        {
            "retrieve" => mailbox.CallAsync(method, mailbox.RetrieveOf(by: by)),
            "get_expiries" => mailbox.CallAsync(method, mailbox.GetExpiriesOf(hashes, by: by)),
            "store" => mailbox.CallAsync(method, mailbox.StoreOf("x"u8, 1, by: by)),
            "store to a public outbox" => mailbox.CallAsync("store", mailbox.StoreOf("x"u8, -21, by: by)),
            "expire" => mailbox.CallAsync(method, mailbox.ExpireOf(hashes, "extend", by, mailbox.Now + Mailbox.Hour)),
            "delete" => mailbox.CallAsync(method, mailbox.DeleteOf(hashes, by)),
            _ => mailbox.CallAsync(method, mailbox.AllOf(method, mailbox.Now, by: by)),
        };
    }
}

/// <summary>Revoking tokens and taking it back.</summary>
[Section("storage-rpc.md", "3.3, 12")]
public sealed class RevocationRules(Networks networks) : RuleSet(networks)
{
    private const string Refused = "retrieve signature verification failed";

    [Theory, Everywhere]
    public async Task RevokeSubaccount_BlocksEveryUseOfTheToken(Store store, Transport via)
    {
        var (mailbox, token) = await StartAsync(store, via);
        await RevokeAsync(mailbox, token);
        string[] hashes = [mailbox.Account.HashOf("kept"u8)];

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(1, by: token))).ShouldBe(401, Refused);
        (await mailbox.CallAsync("get_expiries", mailbox.GetExpiriesOf(hashes, by: token))).ShouldBe(401, "get_expiries signature verification failed");
        (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, 1, by: token))).ShouldBe(401, "store signature verification failed");
        (await mailbox.CallAsync("store", mailbox.StoreOf("x"u8, -11, by: token))).ShouldBe(401, "store signature verification failed");
        (await mailbox.CallAsync("expire", mailbox.ExpireOf(hashes, "", token, mailbox.Now + Mailbox.Hour))).ShouldBe(401, "expire: signature verification failed");
        (await mailbox.CallAsync("delete", mailbox.DeleteOf(hashes, token))).ShouldBe(401, "delete_msgs signature verification failed");
        foreach (var method in (string[])["delete_all", "delete_before", "expire_all"])
            (await mailbox.CallAsync(method, mailbox.AllOf(method, mailbox.Now, by: token))).ShouldBe(401, method + " signature verification failed");
        Assert.Equal(hashes, await mailbox.HashesAsync());
    }

    [Theory]
    [Everywhere(-11)]
    [Everywhere(-111)]
    [Everywhere(-211)]
    public async Task RevokedToken_StillRetrievesFromAnUnrevocableNamespace(Store store, Transport via, int @namespace)
    {
        var (mailbox, token) = await StartAsync(store, via);
        await RevokeAsync(mailbox, token);

        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf(@namespace, by: token));
    }

    [Theory, Everywhere]
    public async Task RevokeSubaccount_LeavesOtherTokensAlone(Store store, Transport via)
    {
        var (mailbox, token) = await StartAsync(store, via);
        await RevokeAsync(mailbox, new Subaccount(mailbox.Account, Subaccount.Read));

        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf(by: token));
    }

    [Theory, Everywhere]
    public async Task RevokeSubaccount_IsPerAccountWithItsPrefix(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var other = new Mailbox(mailbox.Network, via, mailbox.Account.WithPrefix(0x25));
        var token = new Subaccount(mailbox.Account, Subaccount.Read | Subaccount.AnyPrefix);
        await mailbox.StoreAsync("kept");
        await other.StoreAsync("kept");
        await RevokeAsync(mailbox, token);

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(by: token))).ShouldBe(401, Refused);
        await other.CallOkAsync("retrieve", other.RetrieveOf(by: token));
    }

    [Theory, Everywhere]
    public async Task UnrevokeSubaccount_MakesTheTokenWorkAgainAndCounts(Store store, Transport via)
    {
        var (mailbox, token) = await StartAsync(store, via);
        await RevokeAsync(mailbox, token);
        byte[][] tokens = [token.Token, new Subaccount(mailbox.Account, 1).Token];
        var time = mailbox.Now;

        var answer = await mailbox.CallAsync("unrevoke_subaccount", mailbox.RevocationOf("unrevoke_subaccount", tokens, time));

        var entry = mailbox.CheckSwarm(answer, _ => [.. Mailbox.Bytes(mailbox.Account.Hex + Text.Number(time)), .. tokens[0], .. tokens[1]]);
        Assert.Equal(1, entry.GetProperty("count").GetInt32());
        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf(by: token));
        answer = await mailbox.CallAsync("unrevoke_subaccount", mailbox.RevocationOf("unrevoke_subaccount", tokens, time));
        Assert.Equal(0, answer.ShouldBeJson().GetProperty("swarm").GetProperty(mailbox.Node.Ed25519Hex).GetProperty("count").GetInt32());
    }

    [Theory, Everywhere]
    public async Task RevokeSubaccount_IsSignedByEveryMemberAndReportsNoCount(Store store, Transport via)
    {
        var (mailbox, token) = await StartAsync(store, via);
        var time = mailbox.Now;

        var answer = await mailbox.CallAsync("revoke_subaccount", mailbox.RevocationOf("revoke_subaccount", [token.Token], time));

        Assert.Equal(["signature"], mailbox.CheckSwarm(answer, _ => [.. Mailbox.Bytes(mailbox.Account.Hex + Text.Number(time)), .. token.Token]).Names());
    }

    [Theory]
    [Everywhere("revoke_subaccount", "revoke")]
    [Everywhere("unrevoke_subaccount", "unrevoke")]
    public async Task Tokens_AsHexOrAlone_AreAccepted(Store store, Transport via, string method, string field)
    {
        var (mailbox, token) = await StartAsync(store, via);
        var parameters = mailbox.RevocationOf(method, [token.Token]);

        await mailbox.CallOkAsync(method, parameters.With(field, token.TokenBase64));
        await mailbox.CallOkAsync(method, parameters.With(field, new JsonArray(Convert.ToHexStringLower(token.Token))));
    }

    [Theory]
    [Everywhere("revoke_subaccount", "revoke", "abc")]
    [Everywhere("revoke_subaccount", "revoke", "")]
    [Everywhere("unrevoke_subaccount", "unrevoke", "zz0000000000000000000000000000000000000000000000000000000000000000000000")]
    public async Task Token_OfAnotherForm_IsRefused(Store store, Transport via, string method, string field, string token)
    {
        var mailbox = await GroupAsync(store, via);
        var parameters = mailbox.RevocationOf(method, [new byte[36]]).With(field, new JsonArray(Convert.ToBase64String(new byte[36]), token));

        (await mailbox.CallAsync(method, parameters)).ShouldBeInvalid($"invalid {field}: expected base64 or hex-encoded subaccount tag");
    }

    [Theory, Everywhere]
    public async Task RevokeSubaccount_Of51_IsRefusedAndOf50Not(Store store, Transport via)
    {
        var (mailbox, _) = await StartAsync(store, via);
        var tokens = Tokens(mailbox, 51);

        (await mailbox.CallAsync("revoke_subaccount", mailbox.RevocationOf("revoke_subaccount", Bytes(tokens))))
            .ShouldBeInvalid("invalid revoke: cannot revoke more than 50 subaccounts at once");
        await RevokeAsync(mailbox, tokens[..50]);
    }

    [Theory, Everywhere]
    public async Task UnrevokeSubaccount_Of51_IsAccepted(Store store, Transport via)
    {
        var (mailbox, _) = await StartAsync(store, via);

        await mailbox.CallOkAsync("unrevoke_subaccount", mailbox.RevocationOf("unrevoke_subaccount", Bytes(Tokens(mailbox, 51))));
    }

    [Theory, Everywhere]
    public async Task Revocations_BeyondThe50MostRecent_DropOutOldestFirst(Store store, Transport via)
    {
        var (mailbox, _) = await StartAsync(store, via);
        var tokens = Tokens(mailbox, 52);
        await RevokeAsync(mailbox, tokens[0]);
        await LaterAsync();
        await RevokeAsync(mailbox, tokens[1]);
        await LaterAsync();
        await RevokeAsync(mailbox, tokens[2..50]);
        await LaterAsync();
        await RevokeAsync(mailbox, tokens[0]); // now the most recent of 50
        await LaterAsync();
        await RevokeAsync(mailbox, tokens[50]); // the 51st: the second one is the oldest by now

        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(by: tokens[0]))).ShouldBe(401, Refused);
        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(by: tokens[50]))).ShouldBe(401, Refused);
        (await mailbox.CallAsync("retrieve", mailbox.RetrieveOf(by: tokens[2]))).ShouldBe(401, Refused);
        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf(by: tokens[1]));

        // Entries are ordered by the member's clock in milliseconds.
        static Task LaterAsync() => Task.Delay(5, TestContext.Current.CancellationToken);
    }

    [Theory]
    [Everywhere("revoke_subaccount", -75)]
    [Everywhere("revoke_subaccount", 75)]
    [Everywhere("unrevoke_subaccount", -75)]
    [Everywhere("unrevoke_subaccount", 75)]
    public async Task Time_MoreThan60SecondsOff_Is406BeforeTheSignatureIsLookedAt(Store store, Transport via, string method, int seconds)
    {
        var mailbox = await GroupAsync(store, via);
        var parameters = mailbox.RevocationOf(method, [new byte[36]], mailbox.Now + (seconds * Mailbox.Second));

        (await mailbox.CallAsync(method, parameters)).ShouldBe(406, method + " timestamp too far from current time");
        (await mailbox.CallAsync(method, parameters.With("signature", mailbox.Account.Sign("")))).ShouldBe(406, method + " timestamp too far from current time");
    }

    [Theory]
    [Everywhere("revoke_subaccount", -45)]
    [Everywhere("revoke_subaccount", 45)]
    [Everywhere("unrevoke_subaccount", -45)]
    [Everywhere("unrevoke_subaccount", 45)]
    public async Task Time_Within60Seconds_IsAccepted(Store store, Transport via, string method, int seconds)
    {
        var mailbox = await GroupAsync(store, via);

        await mailbox.CallOkAsync(method, mailbox.RevocationOf(method, [new byte[36]], mailbox.Now + (seconds * Mailbox.Second)));
    }

    [Theory, Everywhere]
    public async Task Signature_CoversTheTokensInRequestOrder(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        var tokens = Bytes(Tokens(mailbox, 2));
        var parameters = mailbox.RevocationOf("revoke_subaccount", tokens);

        (await mailbox.CallAsync("revoke_subaccount", parameters.With("revoke", Mailbox.List([Convert.ToBase64String(tokens[1]), Convert.ToBase64String(tokens[0])]))))
            .ShouldBe(401, "revoke_subaccount signature verification failed");
    }

    // The reference keeps revocations only while the account has a message, so there is one.
    private async Task<(Mailbox Mailbox, Subaccount Token)> StartAsync(Store store, Transport via)
    {
        var mailbox = await GroupAsync(store, via);
        await mailbox.StoreAsync("kept");
        return (mailbox, new(mailbox.Account, Subaccount.Read | Subaccount.Write | Subaccount.Delete));
    }

    private static async Task RevokeAsync(Mailbox mailbox, params Subaccount[] tokens) =>
        await mailbox.CallOkAsync("revoke_subaccount", mailbox.RevocationOf("revoke_subaccount", Bytes(tokens)));

    private static Subaccount[] Tokens(Mailbox mailbox, int count) => [.. Enumerable.Range(0, count).Select(_ => new Subaccount(mailbox.Account, Subaccount.Read))];

    private static byte[][] Bytes(IEnumerable<Subaccount> tokens) => [.. tokens.Select(token => token.Token)];
}
