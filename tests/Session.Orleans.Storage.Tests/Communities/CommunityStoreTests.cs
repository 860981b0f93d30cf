using System.Security.Cryptography;
using System.Text;
using Session.Orleans.Storage.Communities;
using Session.Orleans.Storage.Tests.Mailboxes;

namespace Session.Orleans.Storage.Tests.Communities;

public sealed class EmbeddedCommunityStoreTests(EmbeddedFixture fixture) : CommunityStoreTests(fixture), IClassFixture<EmbeddedFixture>;

public sealed class DurableEmbeddedSocketCommunityStoreTests(DurableEmbeddedSocketFixture fixture)
    : CommunityStoreTests(fixture), IClassFixture<DurableEmbeddedSocketFixture>;

public sealed class RedisCommunityStoreTests(RedisFixture fixture) : CommunityStoreTests(fixture), IClassFixture<RedisFixture>;

/// <summary>What every server under the store of communities must do. Each test has a scope of its own.</summary>
public abstract class CommunityStoreTests(StoreFixture fixture) : IAsyncLifetime
{
    private readonly CommunityScope _scope = CommunityScope.Room(Guid.NewGuid().ToString("N"));
    private RedisCommunityStore _store = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        Assert.SkipWhen(fixture.SkipReason is not null, fixture.SkipReason ?? "");
        _store = new(fixture.Connection);
        return default;
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }

    [Fact]
    public async Task Scope_NeverWritten_IsEmptyOfVersionZero()
    {
        Assert.Equal(0, await _store.GetVersionAsync(_scope, Cancel));
        Assert.Empty(await _store.GetAllAsync(_scope, "a", Cancel));
        Assert.Equal([null], await _store.GetAsync(_scope, "a", ["x"], Cancel));
        Assert.Empty(await _store.RangeAsync(_scope, "i", long.MinValue, long.MaxValue, false, 10, Cancel));
    }

    [Fact]
    public async Task Commit_OfEveryKind_TakesEffectInOrder()
    {
        var data = RandomNumberGenerator.GetBytes(70_000);
        Assert.Equal(1, await _store.CommitAsync(_scope, 0, new CommunityChanges()
            .Set("a", "x", data).Set("a", "y", Bytes("1")).Set("b", "x", default)
            .Enter("i", "one", 1).Enter("i", "two", 2).Enter("i", "big", 1_700_000_000_000_123).Enter("j", "only", 5), cancellationToken: Cancel));
        Assert.Equal(2, await _store.CommitAsync(_scope, 1, new CommunityChanges()
            .Remove("a", "y").Leave("i", "one").Enter("i", "two", 7).LeaveBelow("j", 5).DropTable("b").Set("b", "z", Bytes("new")), cancellationToken: Cancel));

        var tables = await _store.GetAllAsync(_scope, ["a", "b"], Cancel);
        Assert.Equal(["x"], tables[0].Keys);
        Assert.Equal(data, tables[0]["x"].ToArray());
        Assert.Equal(["z"], tables[1].Keys);
        Assert.Equal(
            [new("big", 1_700_000_000_000_123), new("two", 7)],
            await _store.RangeAsync(_scope, "i", 0, long.MaxValue, true, 10, Cancel));
        Assert.Equal([new("only", 5)], await _store.RangeAsync(_scope, "j", long.MinValue, long.MaxValue, false, 10, Cancel));
        Assert.Equal(1, await _store.CountAsync(_scope, "i", 8, Cancel));
    }

    [Fact]
    public async Task Commit_AtAnotherVersion_ChangesNothing()
    {
        Assert.Equal(1, await _store.CommitAsync(_scope, 0, new CommunityChanges().Set("a", "x", Bytes("1")), cancellationToken: Cancel));
        Assert.Null(await _store.CommitAsync(_scope, 0, new CommunityChanges().Set("a", "x", Bytes("2")).Enter("i", "x", 1), cancellationToken: Cancel));
        Assert.Equal("1", Text((await _store.GetAsync(_scope, "a", ["x"], Cancel))[0]));
        Assert.Empty(await _store.RangeAsync(_scope, "i", 0, 9, false, 10, Cancel));
        Assert.Equal(2, await _store.CommitAsync(_scope, null, new CommunityChanges().Set("a", "x", Bytes("3")), cancellationToken: Cancel));
    }

    [Fact]
    public async Task Writers_ThatRace_AllEndUpInTheirOrder()
    {
        const int Writers = 8, Each = 25;
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(async writer =>
        {
            for (var i = 0; i < Each;)
            {
                var version = await _store.GetVersionAsync(_scope, Cancel);
                if (await _store.CommitAsync(_scope, version, new CommunityChanges().Enter("i", $"{writer}-{i}", version), cancellationToken: Cancel) is not null)
                    i++;
            }
        }));

        var entries = await _store.RangeAsync(_scope, "i", -1, long.MaxValue, false, 1000, Cancel);
        Assert.Equal(Enumerable.Range(0, Writers * Each).Select(i => (long)i), entries.Select(entry => entry.Number));
        foreach (var writer in entries.GroupBy(entry => entry.Name[0]))
            Assert.Equal(Enumerable.Range(0, Each), writer.Select(entry => int.Parse(entry.Name[2..], System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public async Task Range_IsExclusiveAndLimited()
    {
        var changes = new CommunityChanges();
        for (var i = 1; i <= 20; i++)
            changes.Enter("i", $"{i}", i);
        await _store.CommitAsync(_scope, 0, changes, cancellationToken: Cancel);
        Assert.Equal([6, 7, 8], (await _store.RangeAsync(_scope, "i", 5, long.MaxValue, false, 3, Cancel)).Select(entry => (int)entry.Number));
        Assert.Equal([9, 8], (await _store.RangeAsync(_scope, "i", 0, 10, true, 2, Cancel)).Select(entry => (int)entry.Number));
    }

    /// <summary>Dense and sparse indexes, every kind of bound: the answer is what sorting all of it gives.</summary>
    [Fact]
    public async Task Range_IsThatOfASortedList()
    {
        var random = new Random(17);
        var number = 0L;
        CommunityIndexEntry[] all = [.. Enumerable.Range(0, 400).Select(i => new CommunityIndexEntry($"n{i}", number += i < 200 ? random.Next(1, 3) : random.Next(1, 1_000_000)))];
        await _store.EnterAsync(_scope, "i", all, long.MinValue, Cancel);
        for (var i = 0; i < 300; i++)
        {
            var (after, before) = (Bound(long.MinValue), Bound(long.MaxValue));
            var (descending, count) = (random.Next(2) == 0, random.Next(1, 60));
            var expected = all.Where(entry => entry.Number > after && entry.Number < before);
            Assert.Equal((descending ? expected.Reverse() : expected).Take(count), await _store.RangeAsync(_scope, "i", after, before, descending, count, Cancel));
        }

        long Bound(long open) => random.Next(3) == 0 ? open : all[random.Next(all.Length)].Number + random.Next(-1, 2);
    }

    [Fact]
    public async Task Archive_ReadsAScope_AndReplacesIt()
    {
        var archive = new CommunityArchive(fixture.Connection);
        await _store.CommitAsync(_scope, null, new CommunityChanges().Set("a", "x", Bytes("1")).Set("b", "y", Bytes("2")).Enter("i", "one", 1L << 52), cancellationToken: Cancel);
        var listed = (await archive.ListAsync(Cancel))[_scope.Name];
        Assert.Equal(["i:i", "t:a", "t:b", "v"], listed.Order(StringComparer.Ordinal));
        // A key that came after the list is found, because the version tells.
        await _store.CommitAsync(_scope, null, new CommunityChanges().Set("late", "z", Bytes("3")), TimeSpan.FromHours(1), Cancel);
        var saved = await archive.ReadAsync(_scope, listed, version: 1, Cancel);
        Assert.Equal(["i:i", "t:a", "t:b", "t:late", "v"], saved.Select(key => key.Key).Order(StringComparer.Ordinal));
        Assert.InRange(saved.Single(key => key.Key == "t:late").Expires - DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), 3_500_000, 3_600_000);

        await _store.CommitAsync(_scope, null, new CommunityChanges().Set("a", "x", Bytes("changed")).Set("c", "new", Bytes("4")).Enter("i", "two", 2), cancellationToken: Cancel);
        var version = await _store.GetVersionAsync(_scope, Cancel);
        var present = (await archive.ListAsync(Cancel))[_scope.Name];
        var staged = saved.Where(key => key.Key != "v").ToArray();
        foreach (var key in staged)
            await archive.StageAsync(_scope, key, isFirst: true, Cancel);
        Assert.Equal(Bytes("changed"), (await _store.GetAsync(_scope, "a", ["x"], Cancel))[0]!.Value.ToArray()); // not yet
        await archive.PublishAsync(_scope, staged.ToDictionary(key => key.Key, key => key.Expires), present, version: 2, Cancel);

        Assert.Equal(Bytes("1"), (await _store.GetAsync(_scope, "a", ["x"], Cancel))[0]!.Value.ToArray());
        Assert.Empty(await _store.GetAllAsync(_scope, "c", Cancel));
        Assert.Equal([new("one", 1L << 52)], await _store.RangeAsync(_scope, "i", long.MinValue, long.MaxValue, false, 10, Cancel));
        Assert.True(await _store.GetVersionAsync(_scope, Cancel) > version); // whoever knows the old one is refused
        Assert.Equal(saved.Select(key => key.Key).Order(StringComparer.Ordinal), (await archive.ListAsync(Cancel))[_scope.Name].Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Lifetime_EndsWhatWasTouched()
    {
        await _store.CommitAsync(_scope, 0, new CommunityChanges().Set("a", "x", Bytes("1")), TimeSpan.FromSeconds(2), Cancel);
        Assert.Single(await _store.GetAllAsync(_scope, "a", Cancel));
        await Waiting.UntilAsync("the table to end", async () => (await _store.GetAllAsync(_scope, "a", Cancel)).Count, count => count == 0);
    }

    [Fact]
    public async Task Admit_TakesANonceOnce_AndLooksUp()
    {
        var scope = CommunityScope.Room(Guid.NewGuid().ToString("N"));
        var nonce = RandomNumberGenerator.GetBytes(16);
        await _store.CommitAsync(scope, 0, new CommunityChanges().Set("mods", "u", Bytes("m")), cancellationToken: Cancel);

        var first = await _store.AdmitAsync(scope, nonce, TimeSpan.FromHours(1), "u", 5, "seen", [("mods", "u"), ("banned", "u")], Cancel);
        var again = await _store.AdmitAsync(scope, nonce, TimeSpan.FromHours(1), "u", 6, "seen", [], Cancel);

        Assert.True(first.IsNonceFresh);
        Assert.Equal("m", Text(first.Values[0]));
        Assert.Null(first.Values[1]);
        Assert.False(again.IsNonceFresh);
        Assert.Equal([new("u", 6)], await _store.RangeAsync(scope, "seen", 0, 100, false, 10, Cancel));
    }

    [Fact]
    public async Task Counters_NeverRepeat()
    {
        var counter = Guid.NewGuid().ToString("N");
        var numbers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _store.NextAsync(counter, Cancel).AsTask()));
        Assert.Equal(Enumerable.Range(1, 50).Select(i => (long)i), numbers.Order());
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string? Text(ReadOnlyMemory<byte>? value) => value is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null;
}
