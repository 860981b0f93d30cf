using System.Security.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;
using StackExchange.Redis;

namespace Session.Orleans.Storage.Tests.Mailboxes;

public sealed class EmbeddedMailboxCensusTests(EmbeddedFixture fixture) : MailboxCensusTests(fixture), IClassFixture<EmbeddedFixture>;

public sealed class RedisMailboxCensusTests(RedisFixture fixture) : MailboxCensusTests(fixture), IClassFixture<RedisFixture>;

/// <summary>What is counted in the store, on every kind of server.</summary>
public abstract class MailboxCensusTests : IAsyncLifetime
{
    private const long Hour = 3_600_000;

    // More than a walk takes from the server at once.
    private const int Accounts = 60, MessagesEach = 40;

    private readonly StoreFixture _fixture;
    private readonly MailboxStoreOptions _options = new() { KeyPrefix = $"{Guid.NewGuid():N}:" };
    private RedisMailboxStore _store = null!;
    private MailboxCensus _census = null!;

    protected MailboxCensusTests(StoreFixture fixture) => _fixture = fixture;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static long Now => DateTimeOffset.UtcNow.ToUnixTimeMilliseconds();

    public ValueTask InitializeAsync()
    {
        Assert.SkipWhen(_fixture.SkipReason is not null, _fixture.SkipReason ?? "");
        _store = new RedisMailboxStore(_fixture.Connection, TimeProvider.System, _options);
        _census = new(_fixture.Connection, _options);
        return default;
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }

    [Fact]
    public async Task CountBy_PutsEachMailboxInItsGroup_AndCountAddsThemUp()
    {
        var expected = new Dictionary<int, MailboxCount>();
        for (var i = 0; i < Accounts; i++)
        {
            var account = AccountOf(group: i % 3);
            for (var number = 0; number < MessagesEach + i % 3; number++)
                await AppendAsync(account, number);
            var before = expected.GetValueOrDefault(i % 3);
            expected[i % 3] = new(before.Mailboxes + 1, before.Messages + MessagesEach + i % 3);
        }

        var groups = await _census.CountByAsync(GroupOf, Cancel);

        Assert.Equal(expected.OrderBy(group => group.Key), groups.OrderBy(group => group.Key));
        Assert.Equal(new(groups.Values.Sum(count => count.Mailboxes), groups.Values.Sum(count => count.Messages)), await _census.CountAsync(Cancel));
    }

    [Fact]
    public async Task CountBy_LeavesOutWhatIsNoMailbox()
    {
        var account = AccountOf(group: 1);
        await AppendAsync(account, 1);
        await _store.RevokeAsync(account, [RandomNumberGenerator.GetBytes(IMailboxStore.TokenLength)], Cancel);
        await _store.RevokeAsync(AccountOf(group: 2), [RandomNumberGenerator.GetBytes(IMailboxStore.TokenLength)], Cancel); // has an index, too
        var database = _fixture.Connection.GetDatabase();
        foreach (var stranger in (string[])["{no account}:idx", $"{{{account}}}", $"{{{account}}}:other", $"{{{account}0}}:idx", "{"])
            await database.StringSetAsync(_options.KeyPrefix + stranger, "x");
        await database.StringSetAsync($"other:{{{account}}}:idx", "x");

        var groups = await _census.CountByAsync(GroupOf, Cancel);

        Assert.Equal([(1, new MailboxCount(1, 1)), (2, new MailboxCount(1, 0))], groups.OrderBy(group => group.Key).Select(group => (group.Key, group.Value)));
    }

    [Fact]
    public async Task CountBy_OfAnEmptyStore_IsEmpty() => Assert.Empty(await _census.CountByAsync(GroupOf, Cancel));

    [Fact]
    public async Task StoreCensus_CountsTheSameMailboxes()
    {
        var all = new StoreCensus(_fixture.Connection, TimeProvider.System, "census/name/");
        Assert.True(await all.CountAsync(TimeSpan.FromMinutes(1), Cancel));
        var before = all.Latest!.Value;
        for (var i = 0; i < 5; i++)
            await AppendAsync(AccountOf(group: i), number: i);
        await _fixture.Connection.GetDatabase().StringSetAsync("census/name/some", "x");
        Assert.True(await all.CountAsync(TimeSpan.FromMinutes(1), Cancel));

        var after = all.Latest!.Value;
        Assert.Equal(new(before.Held.Mailboxes + 5, before.Held.Messages + 5), after.Held);
        Assert.Equal((before.Names + 1, before.Keys + 11), (after.Names, after.Keys)); // an index and a payload each, and the name
        Assert.Equal(new(5, 5), await _census.CountAsync(Cancel));
        await _fixture.Connection.GetDatabase().KeyDeleteAsync("session:census"); // for other tests of this server
    }

    private static int GroupOf(AccountId account)
    {
        Span<byte> bytes = stackalloc byte[AccountId.Length];
        account.CopyTo(bytes);
        return bytes[^1];
    }

    private static AccountId AccountOf(int group)
    {
        var bytes = RandomNumberGenerator.GetBytes(AccountId.Length);
        (bytes[0], bytes[^1]) = (AccountId.SessionPrefix, (byte)group);
        return AccountId.FromBytes(bytes);
    }

    private async Task AppendAsync(AccountId account, int number)
    {
        var data = BitConverter.GetBytes(number);
        await _store.AppendAsync(account, new(MessageHash.Compute(account, 0, data), 0, Now, Now + Hour), data, default, Cancel);
    }
}
