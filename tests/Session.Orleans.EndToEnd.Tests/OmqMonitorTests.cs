using System.Text;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>
/// <c>monitor.messages</c> and the <c>notify.message</c> that follow (storage-rpc.md, 17). Where a message must not be told of, one that is told
/// of follows it: the order of notifications is that of the stores.
/// </summary>
[Collection(SharedNetwork.Name)]
public sealed class OmqMonitorTests(NetworkFixture fixture)
{
    private static readonly byte[] Success = "d7:successi1ee"u8.ToArray();

    private readonly TestNetwork _network = fixture.Network;
    private int _stored;

    [Fact]
    public async Task NewMessage_IsToldOf()
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        using var client = new OmqClient(member);
        Subscribe(client, account, withData: false, 0);

        var store = await StoreAsync(member, account, 0);

        var news = client.Notification();
        Assert.Equal(["@", "h", "n", "t", "z"], news.Keys);
        Assert.Equal(account.Id, AccountId.FromBytes(news.Raw("@")));
        Assert.Equal((store.ComputeHash().ToString(), 0L, store.Timestamp, store.Expiry), (news.Text("h"), news.Number("n"), news.Number("t"), news.Number("z")));
    }

    [Fact]
    public async Task Data_AreSentToThoseWhoWantThemAndStick()
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        using var brief = new OmqClient(member);
        using var full = new OmqClient(member);
        Subscribe(brief, account, withData: false, 0);
        Subscribe(full, account, withData: true, 0);
        Subscribe(full, account, withData: false, 0);

        var store = await StoreAsync(member, account, 0);

        Assert.Equal(store.Data.ToArray(), full.Notification().Raw("~"));
        Assert.DoesNotContain("~", brief.Notification());
    }

    [Fact]
    public async Task Duplicate_IsNotToldOf()
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        using var client = new OmqClient(member);
        var first = await StoreAsync(member, account, 0);
        Subscribe(client, account, withData: false, 0);

        Assert.Equal(200, (await _network.RpcAsync(member, first)).Status);
        var second = await StoreAsync(member, account, 0);

        Assert.Equal(second.ComputeHash().ToString(), client.Notification().Text("h"));
    }

    [Fact]
    public async Task OtherNamespace_IsNotToldOfUntilARenewalNamesIt()
    {
        var account = new TestAccount();
        var member = await _network.MemberForAsync(account.Id);
        using var client = new OmqClient(member);
        Subscribe(client, account, withData: false, 0, 3);

        await StoreAsync(member, account, 2);
        await StoreAsync(member, account, 3);
        Assert.Equal(3, client.Notification().Number("n"));

        Subscribe(client, account, withData: false, 2);
        await StoreAsync(member, account, 4);
        await StoreAsync(member, account, 2);
        await StoreAsync(member, account, 0);
        Assert.Equal(2, client.Notification().Number("n"));
        Assert.Equal(0, client.Notification().Number("n"));
    }

    [Fact]
    public async Task EveryMember_TellsOfTheMessage_AndNoOtherNode()
    {
        var (account, other) = (new TestAccount(), new TestAccount());
        var swarm = await _network.SwarmOfAsync(account.Id);
        var outside = await _network.StrangerForAsync(account.Id);
        while ((await _network.SwarmOfAsync(other.Id)).All(node => node != outside))
            other = new();
        using var first = new OmqClient(swarm[0]);
        using var last = new OmqClient(swarm[^1]);
        using var stranger = new OmqClient(outside);
        foreach (var client in new[] { first, last, stranger })
            Subscribe(client, account, withData: false, 0);   // which swarm it is, is not checked here
        Subscribe(stranger, other, withData: false, 0);

        var store = await StoreAsync(swarm[1], account, 0);
        Assert.Equal(store.ComputeHash().ToString(), first.Notification().Text("h"));
        Assert.Equal(store.ComputeHash().ToString(), last.Notification().Text("h"));

        // The node outside hears of its own swarm only.
        await StoreAsync(outside, other, 0);
        Assert.Equal(other.Id, AccountId.FromBytes(stranger.Notification().Raw("@")));
    }

    [Fact]
    public async Task List_SubscribesToEveryAccountThatIsValid()
    {
        var (mine, group) = (new TestAccount(), new TestAccount());
        var groupId = new AccountId(AccountId.GroupPrefix, group.Keys.PublicKey.Value);
        var member = await _network.MemberForAsync(mine.Id);
        using var client = new OmqClient(member);
        var refused = Request(mine, withData: false, 0);
        refused["t"] = 1;
        object[] list = [Request(mine, withData: false, 0), refused, Request(group, withData: false, groupId, 0)];

        var reply = Encoding.UTF8.GetString(Assert.Single(client.Request("monitor.messages", Bencoded.Write(list))));

        Assert.Matches("^ld7:successi1eed7:errcodei4e5:error[0-9]+:.*ed7:successi1eee$", reply);
        await StoreAsync(member, mine, 0);
        Assert.Equal(mine.Id, AccountId.FromBytes(client.Notification().Raw("@")));
    }

    [Fact]
    public async Task Subaccount_ThatMayRead_IsToldOf()
    {
        var account = new TestAccount();
        var groupId = new AccountId(AccountId.GroupPrefix, account.Keys.PublicKey.Value);
        var member = await _network.MemberForAsync(groupId);
        var holder = Ed25519KeyPair.Generate();
        var credential = SubaccountCredential.Issue(account.Keys, new(AccountId.GroupPrefix, SubaccountFlags.Read, holder.PublicKey));
        using var client = new OmqClient(member);
        var request = Request(account, withData: false, groupId, 0);
        var time = TestNetwork.Now / 1000;
        var signature = new byte[Ed25519.SignatureLength];
        holder.Sign(MonitorRequests.SignedText(new(groupId, [0], WithData: false), time), signature);
        (request["S"], request["T"], request["s"], request["t"]) =
            (credential.Signature.AsSpan().ToArray(), credential.Token.AsSpan().ToArray(), signature, time);

        Assert.Equal(Success, Assert.Single(client.Request("monitor.messages", Bencoded.Write(request))));
        Assert.Equal(200, (await _network.RpcAsync(member, account.Store("x"u8.ToArray()) with { Account = groupId })).Status);
        Assert.Equal(groupId, AccountId.FromBytes(client.Notification().Raw("@")));
    }

    private static void Subscribe(OmqClient client, TestAccount account, bool withData, params short[] namespaces) =>
        Assert.Equal(Success, Assert.Single(client.Request("monitor.messages", Bencoded.Write(Request(account, withData, account.Id, namespaces)))));

    private static Dictionary<string, object> Request(TestAccount account, bool withData, params short[] namespaces) =>
        Request(account, withData, account.Id, namespaces);

    private static Dictionary<string, object> Request(TestAccount account, bool withData, AccountId id, params short[] namespaces)
    {
        var time = TestNetwork.Now / 1000;
        var signature = new byte[Ed25519.SignatureLength];
        account.Keys.Sign(MonitorRequests.SignedText(new(id, [.. namespaces], withData), time), signature);
        var key = new byte[AccountId.Length];
        id.CopyTo(key);
        return new()
        {
            [id == account.Id ? "P" : "p"] = id == account.Id ? account.Keys.PublicKey.AsSpan().ToArray() : key,
            ["d"] = withData ? 1 : 0,
            ["n"] = namespaces.Select(static number => (object)(int)number).ToArray(),
            ["s"] = signature,
            ["t"] = time,
        };
    }

    private async Task<StoreRequest> StoreAsync(Snode member, TestAccount account, short @namespace)
    {
        var store = account.Store(BitConverter.GetBytes(++_stored), @namespace);
        Assert.Equal(200, (await _network.RpcAsync(member, store)).Status);
        return store;
    }
}
