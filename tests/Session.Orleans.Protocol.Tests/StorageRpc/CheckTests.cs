using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

/// <summary>Times, signatures, subaccounts and namespaces (storage-rpc.md, 3, 5 and the methods' sections).</summary>
public sealed class CheckTests
{
    private const long Now = 1_750_000_000_000;
    private static readonly ServerClock Clock = new(Now, new(19, 4));
    private static readonly Ed25519KeyPair Keys = new(Enumerable.Repeat((byte)7, 32).ToArray());
    private static readonly Ed25519KeyPair MemberKeys = new(Enumerable.Repeat((byte)8, 32).ToArray());
    private static readonly AccountId Group = new(AccountId.GroupPrefix, Keys.PublicKey.Value);
    private static readonly MessageHashText Hash = new(MessageHash.Compute(Group, 0, "x"u8));

    [Theory]
    [InlineData(0, true, false, false, true, 14)]
    [InlineData(10, true, false, false, true, 14)]
    [InlineData(-10, true, false, false, false, 14)]
    [InlineData(-20, true, false, false, true, 14)]
    [InlineData(32760, true, false, false, true, 14)]
    [InlineData(1, false, false, false, true, 30)]
    [InlineData(11, false, false, false, true, 30)]
    [InlineData(21, false, false, false, true, 30)]
    [InlineData(-1, false, true, false, false, 30)]
    [InlineData(-21, false, true, false, false, 30)]
    [InlineData(-981, false, true, false, false, 30)]
    [InlineData(-11, false, false, true, true, 30)]
    [InlineData(-111, false, false, true, true, 30)]
    [InlineData(-211, false, false, true, true, 30)]
    [InlineData(-31, false, false, false, true, 30)]
    [InlineData(-32768, false, false, false, true, 30)]
    [InlineData(32767, false, false, false, true, 30)]
    public void Namespaces_Kinds_AreAsSpecified(short ns, bool inbox, bool outbox, bool unrevocable, bool signature, int days)
    {
        Assert.Equal(
            (inbox, outbox, unrevocable, signature),
            (Namespaces.IsPublicInbox(ns), Namespaces.IsPublicOutbox(ns), Namespaces.IsUnrevocable(ns), Namespaces.RequiresSignatureToRetrieve(ns)));
        Assert.Equal(TimeSpan.FromDays(days).TotalMilliseconds, Namespaces.MaxTtlMs(ns));
    }

    [Fact]
    public void SubaccountVectors_EveryTokenAndMethod_IsAllowedAsListed()
    {
        var file = Vectors.Load("subaccounts.json");
        var account = AccountId.Parse(file.Text("account_id"));
        var member = new Ed25519KeyPair(file.Hex("member_ed25519_seed"));
        foreach (var vector in file.GetProperty("tokens").EnumerateArray())
        {
            var token = new SubaccountToken(vector.Hex("token_hex"));
            Assert.Equal(vector.Text("token_base64"), token.ToString());
            Assert.Equal((vector.GetProperty("prefix").GetByte(), vector.GetProperty("flags").GetByte()), (token.Prefix, (byte)token.Flags));
            var credential = new SubaccountCredential(token, new(vector.Base64("token_signature")));
            Assert.Equal(credential, SubaccountCredential.Issue(new(file.Hex("account_ed25519_seed")), token));
            foreach (var (name, request) in Requests(account))
            {
                var usable = vector.GetProperty("usable_for_03_account").GetProperty(name).GetBoolean();
                var signed = request.SignWith(member, credential);
                Assert.True(usable == (signed.Check(Clock) is null), $"{name}, {vector.Text("token_hex")}");
                Assert.Equal(token, signed.TokenCheck?.Token);
                Assert.Equal(401, signed.TokenCheck?.Decide(isRevoked: true)?.Status);
                Assert.Null(signed.TokenCheck?.Decide(isRevoked: false));
            }
        }
    }

    [Fact]
    public void SubaccountOfSessionId_Vector_IsAccepted()
    {
        var vector = Vectors.Load("subaccounts.json").GetProperty("session_account");
        var parameters = System.Text.Encoding.UTF8.GetBytes(vector.GetProperty("params").GetRawText());
        Assert.True(StorageRequest.TryParseParameters("retrieve"u8, parameters, default, out var request, out var error), error.Text);
        Assert.Null(Assert.IsType<RetrieveRequest>(request).Check(Clock));
    }

    [Fact]
    public void SignWith_SubaccountOfSessionId_NeedsTheAccountKey()
    {
        var credential = SubaccountCredential.Issue(Keys, new(AccountId.SessionPrefix, SubaccountFlags.Read, MemberKeys.PublicKey));
        var request = new RetrieveRequest { Account = Keys.SessionId, Timestamp = Now };
        Assert.Null(request.SignWith(MemberKeys, credential, Keys.PublicKey).Check(Clock));
        Assert.Equal(401, request.SignWith(MemberKeys, credential).Check(Clock)?.Status);
    }

    [Fact]
    public void Check_EveryMethod_RefusesUnsignedAndForeignSignatures()
    {
        foreach (var (name, request) in Requests(Group).Append(("revoke", Revoke())))
        {
            var signed = request.SignWith(Keys);
            Assert.Null(signed.Check(Clock));
            Assert.Null(signed.TokenCheck);
            Assert.Equal(401, request.Check(Clock)?.Status);
            Assert.Equal(401, request.SignWith(MemberKeys).Check(Clock)?.Status);
            Assert.True(signed.Account == Group && signed.GetType() == request.GetType(), name);
        }
    }

    [Fact]
    public void Revocation_WithSubaccount_IsRefused()
    {
        var credential = SubaccountCredential.Issue(Keys, new(AccountId.GroupPrefix, (SubaccountFlags)15, MemberKeys.PublicKey));
        Assert.Equal(new StorageError(401, "revoke_subaccount signature verification failed"), Revoke().SignWith(MemberKeys, credential).Check(Clock));
    }

    [Theory]
    [InlineData(60_000, false, true)]
    [InlineData(60_001, false, false)]
    [InlineData(60_001, true, true)]
    [InlineData(70_000, true, true)]
    [InlineData(70_001, true, false)]
    public void DeleteAllAndExpireAll_Forwarded_HaveMoreTime(long age, bool forwarded, bool accepted)
    {
        var clock = Clock with { Forwarded = forwarded };
        Assert.Equal(accepted, new DeleteAllRequest { Account = Group, Timestamp = Now - age }.SignWith(Keys).Check(clock) is null);
        Assert.Equal(accepted, new DeleteAllRequest { Account = Group, Timestamp = Now + age }.SignWith(Keys).Check(clock) is null);
        Assert.Equal(accepted, new ExpireAllRequest { Account = Group, Expiry = Now - age }.SignWith(Keys).Check(clock) is null);
        // The others have 60 s everywhere.
        Assert.Equal(age <= 60_000, Revoke(Now - age).SignWith(Keys).Check(clock) is null);
        Assert.Equal(age <= 60_000, new RetrieveRequest { Account = Group, Timestamp = Now - age }.SignWith(Keys).Check(clock) is null);
        Assert.Equal(age <= 60_000, new DeleteBeforeRequest { Account = Group, Before = Now + age }.SignWith(Keys).Check(clock) is null);
        Assert.Equal(age <= 60_000, new ExpireRequest { Account = Group, Messages = [Hash], Expiries = [Now - age] }.SignWith(Keys).Check(clock) is null);
    }

    [Fact]
    public void Check_StaleAndBadlySigned_IsAnsweredForItsTime()
    {
        Assert.Equal(406, new DeleteAllRequest { Account = Group, Timestamp = long.MaxValue }.Check(Clock)?.Status);
        Assert.Equal(406, new ExpireAllRequest { Account = Group, Expiry = 0 }.Check(Clock)?.Status);
        Assert.Equal(
            new StorageError(401, "delete_before timestamp too far in the future"),
            new DeleteBeforeRequest { Account = Group, Before = long.MaxValue }.Check(Clock));
        Assert.Equal(
            new StorageError(401, "expire: timestamp should be >= current time"),
            new ExpireRequest { Account = Group, Messages = [Hash, Hash], Expiries = [Now, 0] }.Check(Clock with { HardFork = new(19, 3) }));
        Assert.Equal(406, new RetrieveRequest { Account = Group, Timestamp = 0 }.SignWith(MemberKeys).Check(Clock)?.Status);
        Assert.Equal(403, Store(1, Now, 1).Check(Clock)?.Status);
        Assert.Equal(406, Store(1, Now + 10_001, 86_400_000).Check(Clock)?.Status);
    }

    [Fact]
    public void Store_SignatureTime_DefaultsToTheTimestamp()
    {
        Assert.Equal(406, Store(1, Now - 60_001, 86_400_000).SignWith(Keys).Check(Clock)?.Status);
        Assert.Null(Store(1, Now - 60_000, 86_400_000).SignWith(Keys).Check(Clock));
        Assert.Null((Store(1, Now - 999_999, 86_400_000) with { SignatureTimestamp = Now + 60_000 }).SignWith(Keys).Check(Clock));
    }

    [Fact]
    public void TokenCheck_WhereRevocationPlaysNoPart_IsNull()
    {
        var credential = SubaccountCredential.Issue(Keys, new(AccountId.GroupPrefix, SubaccountFlags.None, MemberKeys.PublicKey));
        var inbox = Store(10, Now, 86_400_000).SignWith(MemberKeys, credential);
        Assert.Null(inbox.Check(Clock));   // a public inbox does not look at signatures
        Assert.Null(inbox.TokenCheck);
        Assert.Null(new RetrieveRequest { Account = Group, Namespace = -11, Timestamp = Now }.SignWith(MemberKeys, credential).TokenCheck);
        Assert.NotNull(new RetrieveRequest { Account = Group, Namespace = 11, Timestamp = Now }.SignWith(MemberKeys, credential).TokenCheck);
    }

    [Fact]
    public void Expire_SubaccountWithoutDelete_MayOnlyExtend()
    {
        var credential = SubaccountCredential.Issue(Keys, new(AccountId.GroupPrefix, SubaccountFlags.Write, MemberKeys.PublicKey));
        var plain = new ExpireRequest { Account = Group, Messages = [Hash], Expiries = [Now] };
        var asSubaccount = Assert.IsType<ExpireRequest>(plain.SignWith(MemberKeys, credential));
        Assert.Equal((ExpireMode.Extend, false), (asSubaccount.Mode, asSubaccount.ReportsUnchanged));
        Assert.Null(asSubaccount.Check(Clock) ?? asSubaccount.TokenCheck?.Decide(isRevoked: false));

        var shorten = Assert.IsType<ExpireRequest>((plain with { Shorten = true }).SignWith(MemberKeys, credential));
        Assert.Null(shorten.Check(Clock));
        Assert.Equal(400, shorten.TokenCheck?.Decide(isRevoked: false)?.Status);
        Assert.Equal(new StorageError(401, "expire: signature verification failed"), shorten.TokenCheck?.Decide(isRevoked: true));

        Assert.Equal(ExpireMode.Set, Assert.IsType<ExpireRequest>(plain.SignWith(Keys)).Mode);
        Assert.Equal(ExpireMode.Shorten, shorten.Mode);
    }

    [Fact]
    public void Expire_ExpiryOf_IsClampedToThirtyDays()
    {
        var request = new ExpireRequest { Account = Group, Messages = [Hash, Hash], Expiries = [Now, long.MaxValue] };
        Assert.Equal((Now, Now + StorageLimits.MaxTtlMs), (request.ExpiryOf(0, Now), request.ExpiryOf(1, Now)));
        Assert.Equal(Now, (request with { Expiries = [Now] }).ExpiryOf(1, Now));
    }

    [Fact]
    public void SignedText_LongerThanTheStackBuffer_IsVerified()
    {
        var request = new DeleteRequest { Account = Group, Messages = [.. Enumerable.Repeat(Hash, 100)] };
        Assert.Null(request.SignWith(Keys).Check(Clock));
    }

    [Fact]
    public void IsSwarmWide_IsTrueForAllThatWrite()
    {
        foreach (var (name, request) in Requests(Group).Append(("revoke", Revoke())))
            Assert.Equal(name is not ("retrieve" or "get_expiries"), request.IsSwarmWide);
    }

    private static IEnumerable<(string Name, AccountRequest Request)> Requests(AccountId account)
    {
        yield return ("retrieve", new RetrieveRequest { Account = account, Namespace = 11, Timestamp = Now });
        yield return ("get_expiries", new GetExpiriesRequest { Account = account, Messages = [Hash], Timestamp = Now });
        yield return ("store", Store(11, Now, 86_400_000) with { Account = account });
        yield return ("store(public outbox)", Store(-1, Now, 86_400_000) with { Account = account });
        yield return ("expire", new ExpireRequest { Account = account, Messages = [Hash], Expiries = [Now + 5], Extend = true });
        yield return ("delete", new DeleteRequest { Account = account, Messages = [Hash] });
        yield return ("delete_all", new DeleteAllRequest { Account = account, Timestamp = Now, Namespace = NamespaceSelector.All });
        yield return ("delete_before", new DeleteBeforeRequest { Account = account, Before = Now });
        yield return ("expire_all", new ExpireAllRequest { Account = account, Expiry = Now });
    }

    private static StoreRequest Store(short ns, long timestamp, long ttl) =>
        new() { Account = Group, Namespace = ns, Timestamp = timestamp, Expiry = timestamp + ttl, Data = "x"u8.ToArray() };

    private static RevokeSubaccountRequest Revoke(long timestamp = Now) =>
        new() { Account = Group, Timestamp = timestamp, Tokens = [new(AccountId.GroupPrefix, SubaccountFlags.Read, MemberKeys.PublicKey)] };
}
