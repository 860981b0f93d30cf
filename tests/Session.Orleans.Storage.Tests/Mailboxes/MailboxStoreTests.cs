using System.Diagnostics;
using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;
using Session.Orleans.Protocol.Identity;
using StackExchange.Redis;
using StackExchange.Redis.Profiling;

namespace Session.Orleans.Storage.Tests.Mailboxes;

public sealed class EmbeddedMailboxStoreTests(EmbeddedFixture fixture) : MailboxStoreTests(fixture), IClassFixture<EmbeddedFixture>;

public sealed class DurableEmbeddedMailboxStoreTests(DurableEmbeddedFixture fixture)
    : MailboxStoreTests(fixture), IClassFixture<DurableEmbeddedFixture>;

public sealed class EmbeddedSocketMailboxStoreTests(EmbeddedSocketFixture fixture)
    : MailboxStoreTests(fixture), IClassFixture<EmbeddedSocketFixture>;

public sealed class DurableEmbeddedSocketMailboxStoreTests(DurableEmbeddedSocketFixture fixture)
    : MailboxStoreTests(fixture), IClassFixture<DurableEmbeddedSocketFixture>;

public sealed class RedisMailboxStoreTests(RedisFixture fixture) : MailboxStoreTests(fixture), IClassFixture<RedisFixture>;

/// <summary>What every server under the store must do. Each test has accounts of its own.</summary>
public abstract class MailboxStoreTests : IAsyncLifetime
{
    private const long Hour = 3_600_000;

    private readonly StoreFixture _fixture;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_000_000));
    private readonly AccountId _account = RandomAccount();
    private RedisMailboxStore _store = null!;

    protected MailboxStoreTests(StoreFixture fixture) => _fixture = fixture;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    public ValueTask InitializeAsync()
    {
        Assert.SkipWhen(_fixture.SkipReason is not null, _fixture.SkipReason ?? "");
        _store = new RedisMailboxStore(_fixture.Connection, _time);
        return default;
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }

    [Fact]
    public async Task Load_NeverWritten_IsEmptyOfVersionZero()
    {
        var snapshot = await _store.LoadAsync(_account, Cancel);

        Assert.Equal(0, snapshot.Version);
        Assert.Empty(snapshot.Messages);
        Assert.Empty(snapshot.Revoked);
        Assert.Equal(0, await _store.GetVersionAsync(_account, Cancel));
    }

    [Fact]
    public async Task Append_SeveralNamespaces_LoadsInOrderWithEverything()
    {
        List<MessageEntry> expected = [];
        short[] namespaces = [0, -1, -10, -11, 5, 11, 12, short.MaxValue, short.MinValue, 0];
        foreach (var (i, ns) in namespaces.Index())
        {
            var data = Payload(i, 10 + i);
            var message = NewMessage(data, ns, timestamp: Now - i, expiry: Now + Hour + i);
            var result = await _store.AppendAsync(_account, message, data, default, Cancel);
            Assert.False(result.AlreadyStored);
            Assert.Equal(result.Sequence, result.Version.After);
            Assert.Equal(i == 0 ? 0 : expected[^1].Sequence, result.Version.Before);
            expected.Add(new(message.Hash, ns, message.Timestamp, message.Expiry, data.Length, result.Sequence));
        }

        var snapshot = await _store.LoadAsync(_account, Cancel);

        Assert.Equal(expected, snapshot.Messages);
        Assert.Equal(expected[^1].Sequence, snapshot.Version);
    }

    [Fact]
    public async Task Append_AllNamespaces_RoundTrip()
    {
        await Task.WhenAll(Enumerable.Range(0, 256).Select(i =>
        {
            var ns = (short)((i * 257) + short.MinValue);
            return _store.AppendAsync(_account, NewMessage([1], ns), Payload(0, 1), default, Cancel).AsTask();
        }));

        var snapshot = await _store.LoadAsync(_account, Cancel);

        Assert.Equal(
            Enumerable.Range(0, 256).Select(static i => (short)((i * 257) + short.MinValue)),
            snapshot.Messages.Select(static message => message.Namespace).Order());
    }

    [Fact]
    public async Task Append_WithMissingMembers_KeepsThem_UntilTheMessageIsStoredAgain()
    {
        var message = NewMessage(Payload(1)) with { Missing = new(Height: 1_234_567_890_123, [3, 65_535]) };
        await _store.AppendAsync(_account, message, Payload(1), default, Cancel);
        await StoreAsync(2);
        await AssertMissingAsync(1_234_567_890_123, 3, 65_535);

        // Neither a new expiry nor reading anew loses them.
        await _store.SetExpiriesAsync(_account, new[] { new ExpiryChange(message.Hash, message.Expiry + Hour) }, Cancel);
        await AssertMissingAsync(1_234_567_890_123, 3, 65_535);

        var fewer = await _store.AppendAsync(_account, message with { Missing = new(9, [3]) }, Payload(1), default, Cancel);
        Assert.True(fewer.AlreadyStored);
        Assert.True(fewer.Version.After > fewer.Version.Before);
        await AssertMissingAsync(9, 3);

        var none = await _store.AppendAsync(_account, message with { Missing = null }, Payload(1), default, Cancel);
        Assert.True(none.Version.After > none.Version.Before);
        Assert.All((await _store.LoadAsync(_account, Cancel)).Messages, entry => Assert.Null(entry.Missing));

        async Task AssertMissingAsync(long height, params ushort[] nodes)
        {
            var entries = (await _store.LoadAsync(_account, Cancel)).Messages;
            Assert.Null(entries.Single(entry => entry.Hash != message.Hash).Missing);
            var missing = entries.Single(entry => entry.Hash == message.Hash).Missing!;
            Assert.Equal(height, missing.Height);
            Assert.Equal(nodes, missing.Nodes.AsSpan());
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(76_800)]
    public async Task Read_AnySize_ReturnsTheBytes(int size)
    {
        var data = Payload(7, size);
        var message = NewMessage(data);
        await _store.AppendAsync(_account, message, data, default, Cancel);

        var read = await _store.ReadAsync(_account, new[] { message.Hash }, Cancel);

        Assert.Equal(data, Assert.Single(read)!.Value.ToArray());
        Assert.Equal(size, Assert.Single((await _store.LoadAsync(_account, Cancel)).Messages).Size);
    }

    [Fact]
    public async Task Read_SomeMissing_KeepsTheOrderAskedFor()
    {
        var first = await StoreAsync(1);
        var second = await StoreAsync(2);
        var unknown = MessageHash.Compute(_account, 0, "unknown"u8);

        var read = await _store.ReadAsync(_account, new[] { second.Hash, unknown, first.Hash }, Cancel);

        Assert.Equal(Payload(2), read[0]!.Value.ToArray());
        Assert.Null(read[1]);
        Assert.Equal(Payload(1), read[2]!.Value.ToArray());
        Assert.Empty(await _store.ReadAsync(_account, default, Cancel));
    }

    [Fact]
    public async Task Append_SameHashLater_KeepsOrderAndTimestampAndTakesTheLaterExpiry()
    {
        var first = await StoreAsync(1);
        var second = await StoreAsync(2);

        var longer = await _store.AppendAsync(
            _account, new(first.Hash, 0, Now + 5, first.Expiry + 1000), Payload(1), default, Cancel);
        var shorter = await _store.AppendAsync(
            _account, new(first.Hash, 0, Now + 6, first.Expiry - 1000), Payload(1), default, Cancel);

        Assert.Equal(
            new AppendResult(true, first.Sequence, first.Timestamp, first.Expiry + 1000, new(second.Sequence, second.Sequence + 1)), longer);
        Assert.Equal(longer with { Version = new(second.Sequence + 1, second.Sequence + 1) }, shorter);
        var snapshot = await _store.LoadAsync(_account, Cancel);
        Assert.Equal([first with { Expiry = first.Expiry + 1000 }, second], snapshot.Messages);
        Assert.Equal(second.Sequence + 1, snapshot.Version);
    }

    [Fact]
    public async Task Append_SameHashAfterItsSweep_IsANewMessage()
    {
        var old = await StoreAsync(1, expiry: Now + 1000);
        var other = await StoreAsync(2);
        Advance(10_000);

        var again = await _store.AppendAsync(_account, new(old.Hash, 0, Now, Now + Hour), Payload(1), default, Cancel);

        Assert.False(again.AlreadyStored);
        Assert.Equal(other.Sequence + 1, again.Sequence);
        var messages = (await _store.LoadAsync(_account, Cancel)).Messages;
        Assert.Equal([other.Hash, old.Hash], messages.Select(static message => message.Hash));
        Assert.Equal(Now, messages[1].Timestamp);
    }

    [Fact]
    public async Task Append_ExpiredButNotSwept_IsStillThere()
    {
        _time.SetUtcNow(DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_001_000));
        var old = await StoreAsync(1, expiry: Now + 10);
        Advance(8_999); // a millisecond before the sweep

        Assert.Equal([old], (await _store.LoadAsync(_account, Cancel)).Messages);
        Assert.NotNull((await _store.ReadAsync(_account, new[] { old.Hash }, Cancel))[0]);
        Advance(1);
        Assert.Empty((await _store.LoadAsync(_account, Cancel)).Messages);
    }

    [Fact]
    public async Task Append_Replacing_LeavesOnlyTheNewOne()
    {
        var inbox = await StoreAsync(0);
        var old = await StoreAsync(1, ns: -1);
        var older = await StoreAsync(2, ns: -1);
        var data = Payload(3);
        var message = NewMessage(data, -1);

        var result = await _store.AppendAsync(_account, message, data, new[] { old.Hash, message.Hash, older.Hash }, Cancel);

        Assert.Equal(older.Sequence, result.Version.Before);
        var messages = (await _store.LoadAsync(_account, Cancel)).Messages;
        Assert.Equal([inbox.Hash, message.Hash], messages.Select(static m => m.Hash));
        var read = await _store.ReadAsync(_account, new[] { old.Hash, older.Hash, message.Hash }, Cancel);
        Assert.Equal([true, true, false], read.Select(static payload => payload is null));
    }

    [Fact]
    public async Task Append_DuplicateReplacing_RemovesTheOthersAndKeepsItself()
    {
        var kept = await StoreAsync(1, ns: -1);
        var other = await StoreAsync(2, ns: -1);

        var result = await _store.AppendAsync(
            _account, new(kept.Hash, -1, Now, kept.Expiry), Payload(1), new[] { kept.Hash, other.Hash }, Cancel);

        Assert.True(result.AlreadyStored);
        Assert.Equal(new VersionStep(other.Sequence, other.Sequence + 1), result.Version);
        Assert.Equal([kept], (await _store.LoadAsync(_account, Cancel)).Messages);
        Assert.NotNull((await _store.ReadAsync(_account, new[] { kept.Hash }, Cancel))[0]);
    }

    [Fact]
    public async Task Append_TwoWriters_LoseNothingAndDecideDuplicatesOnce()
    {
        const int Tasks = 16, PerTask = 25, Shared = 40;
        await using var secondConnection = await ConnectionMultiplexer.ConnectAsync(_fixture.Configuration);
        IMailboxStore[] writers = [_store, new RedisMailboxStore(secondConnection, _time)];

        async Task<List<AppendResult>> WriteAsync(int task)
        {
            var writer = writers[task % 2];
            List<AppendResult> results = [];
            for (var i = 0; i < PerTask; i++)
            {
                var data = Payload((task * PerTask) + i);
                results.Add(await writer.AppendAsync(_account, NewMessage(data), data, default, Cancel));
            }

            return results;
        }

        async Task<bool[]> WriteSharedAsync(IMailboxStore writer)
        {
            var results = await Task.WhenAll(Enumerable.Range(1_000_000, Shared).Select(i =>
                writer.AppendAsync(_account, NewMessage(Payload(i)), Payload(i), default, Cancel).AsTask()));
            return Array.ConvertAll(results, static result => result.AlreadyStored);
        }

        var own = Task.WhenAll(Enumerable.Range(0, Tasks).Select(WriteAsync));
        var shared = Task.WhenAll(writers.Select(WriteSharedAsync));
        var ownResults = await own;
        var sharedResults = await shared;

        var snapshot = await _store.LoadAsync(_account, Cancel);
        Assert.Equal((Tasks * PerTask) + Shared, snapshot.Messages.Count);
        Assert.Equal(snapshot.Messages.Count, snapshot.Messages.Select(static message => message.Sequence).Distinct().Count());
        Assert.All(ownResults, static results =>
        {
            Assert.All(results, static result => Assert.False(result.AlreadyStored));
            Assert.Equal(results.Select(static result => result.Sequence).Order(), results.Select(static result => result.Sequence));
        });
        for (var i = 0; i < Shared; i++)
            Assert.NotEqual(sharedResults[0][i], sharedResults[1][i]);

        // Each writer can see from the step between its own calls that the other one wrote.
        var steps = ownResults.SelectMany(static results => results).Select(static result => result.Version).ToList();
        Assert.All(steps.Where(static step => step.Before != 0), static step => Assert.Equal(step.Before + 1, step.After));
        Assert.Equal(steps.Count, steps.Select(static step => step.Before).Distinct().Count());
    }

    [Fact]
    public async Task GetVersion_AfterAnothersWrite_HasChanged()
    {
        var mine = await StoreAsync(1);
        Assert.Equal(mine.Sequence, await _store.GetVersionAsync(_account, Cancel));
        var other = new RedisMailboxStore(_fixture.Connection, _time);

        var removed = await other.RemoveAsync(_account, new[] { mine.Hash }, Cancel);
        var result = await _store.AppendAsync(_account, NewMessage(Payload(2)), Payload(2), default, Cancel);

        Assert.NotEqual(mine.Sequence, result.Version.Before);
        Assert.Equal(removed.Version.After, result.Version.Before);
        Assert.Equal(result.Version.After, await _store.GetVersionAsync(_account, Cancel));
    }

    [Fact]
    public async Task Remove_SomeUnknown_ReportsWhichExistedAndRemovesThePayloads()
    {
        var first = await StoreAsync(1);
        var second = await StoreAsync(2);
        var swept = await StoreAsync(3, expiry: Now + 1);
        var unknown = MessageHash.Compute(_account, 0, "unknown"u8);
        Advance(10_000);

        var result = await _store.RemoveAsync(_account, new[] { unknown, second.Hash, swept.Hash }, Cancel);

        Assert.Equal([false, true, false], result.Found);
        Assert.Equal(new VersionStep(swept.Sequence, swept.Sequence + 1), result.Version);
        Assert.Equal([first], (await _store.LoadAsync(_account, Cancel)).Messages);
        Assert.Null((await _store.ReadAsync(_account, new[] { second.Hash }, Cancel))[0]);
        var nothing = await _store.RemoveAsync(_account, new[] { second.Hash }, Cancel);
        Assert.Equal([false], nothing.Found);
        Assert.Equal(nothing.Version.Before, nothing.Version.After);
        Assert.Equal(nothing.Version, (await _store.RemoveAsync(_account, default, Cancel)).Version);
    }

    [Fact]
    public async Task Prune_MessageGivenALongerLifeMeanwhile_KeepsIt()
    {
        var extended = await StoreAsync(1, expiry: Now + 1);
        var expired = await StoreAsync(2, expiry: Now + 1);
        await _store.SetExpiriesAsync(_account, new[] { new ExpiryChange(extended.Hash, Now + Hour) }, Cancel);
        Advance(10_000);
        var version = await _store.GetVersionAsync(_account, Cancel);

        Assert.Equal(1, await _store.PruneAsync(_account, new[] { extended.Hash, expired.Hash }, Cancel));

        Assert.Equal([extended.Hash], (await _store.LoadAsync(_account, Cancel)).Messages.Select(static message => message.Hash));
        Assert.Equal(version, await _store.GetVersionAsync(_account, Cancel));
    }

    [Fact]
    public async Task Load_WithSweptEntries_TakesThemOutOfTheIndex()
    {
        await StoreAsync(1, expiry: Now + 1);
        var live = await StoreAsync(2);
        Advance(10_000);

        Assert.Equal([live], (await _store.LoadAsync(_account, Cancel)).Messages);
        Assert.Equal(2, await _fixture.Connection.GetDatabase().HashLengthAsync(IndexKey())); // the version is a field too
    }

    [Fact]
    public async Task SetExpiries_LongerAndShorter_TakesBothAndPassesOverTheUnknown()
    {
        var first = await StoreAsync(1);
        var second = await StoreAsync(2);
        var unknown = MessageHash.Compute(_account, 0, "unknown"u8);

        var result = await _store.SetExpiriesAsync(
            _account, new ExpiryChange[] { new(first.Hash, Now + (9 * Hour)), new(unknown, Now), new(second.Hash, Now + 5) }, Cancel);

        Assert.Equal([true, false, true], result.Found);
        Assert.Equal(new VersionStep(second.Sequence, second.Sequence + 1), result.Version);
        Assert.Equal(
            [first with { Expiry = Now + (9 * Hour) }, second with { Expiry = Now + 5 }],
            (await _store.LoadAsync(_account, Cancel)).Messages);
        Advance(8 * Hour);
        Assert.Equal([first.Hash], (await _store.LoadAsync(_account, Cancel)).Messages.Select(static message => message.Hash));
        Assert.InRange(await TimeToLiveAsync(IndexKey()), 8 * Hour, 10 * Hour);
        Assert.InRange(await TimeToLiveAsync(PayloadKey(first.Hash)), 8 * Hour, 10 * Hour);
        Assert.InRange(await TimeToLiveAsync(PayloadKey(second.Hash)), 0, 60_000);
    }

    [Fact]
    public async Task TimeToLive_ShorterMessageLater_IsNeverShortened()
    {
        await StoreAsync(1, expiry: Now + (5 * Hour));
        await StoreAsync(2, expiry: Now + 1000);

        Assert.InRange(await TimeToLiveAsync(IndexKey()), 4 * Hour, 6 * Hour);
    }

    [Fact]
    public async Task Expiry_AllMessages_EverythingVanishesByItselfAndStartsAnewHigher()
    {
        var store = new RedisMailboxStore(
            _fixture.Connection, _time, new MailboxStoreOptions { PayloadSlack = TimeSpan.FromSeconds(2) });
        _time.SetUtcNow(DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_009_990));
        var database = _fixture.Connection.GetDatabase();
        var data = Payload(1);
        var message = NewMessage(data, expiry: Now + 1);
        var old = await store.AppendAsync(_account, message, data, default, Cancel);
        Assert.True(await database.KeyExistsAsync(IndexKey()));

        await Waiting.UntilAsync(
            "the keys to vanish",
            () => database.KeyExistsAsync([IndexKey(), PayloadKey(message.Hash)]),
            static left => left == 0);

        Assert.Equal(0, await store.GetVersionAsync(_account, Cancel));
        Assert.Equal(0, (await store.LoadAsync(_account, Cancel)).Version);
        Advance(1000);
        var anew = await store.AppendAsync(_account, message with { Expiry = Now + Hour }, data, default, Cancel);
        Assert.False(anew.AlreadyStored);
        Assert.Equal(0, anew.Version.Before);
        Assert.True(anew.Sequence > old.Sequence + 1);
    }

    [Fact]
    public async Task Revoke_MoreThanFifty_KeepsTheMostRecent()
    {
        var tokens = Enumerable.Range(0, 60).Select(Token).ToArray();
        await _store.RevokeAsync(_account, tokens[..30], Cancel);
        Advance(5);
        await _store.RevokeAsync(_account, [tokens[3]], Cancel); // is the youngest now
        var result = await _store.RevokeAsync(_account, tokens[30..], Cancel);

        var snapshot = await _store.LoadAsync(_account, Cancel);

        var expected = tokens[..30].Where((_, i) => i != 3).Append(tokens[3]).Concat(tokens[30..]).TakeLast(IMailboxStore.MaxRevocations);
        Assert.Equal(
            expected.Select(static token => Convert.ToHexString(token.Span)),
            snapshot.Revoked.Select(static revoked => Convert.ToHexString(revoked.Token.Span)));
        Assert.Equal(result.Version.After, snapshot.Version);
        Assert.Equal(Now, snapshot.Revoked[^1].InsertedAt);
        Assert.Equal(Now - 5, snapshot.Revoked[0].InsertedAt);
    }

    [Fact]
    public async Task Unrevoke_SomeUnknown_CountsTheRemoved()
    {
        await _store.RevokeAsync(_account, [Token(1), Token(2), Token(3)], Cancel);
        var message = await StoreAsync(1);

        var result = await _store.UnrevokeAsync(_account, [Token(1), Token(9), Token(3)], Cancel);

        Assert.Equal(2, result.Count);
        Assert.Equal(new VersionStep(message.Sequence, message.Sequence + 1), result.Version);
        Assert.Equal(Token(2).ToArray(), Assert.Single((await _store.LoadAsync(_account, Cancel)).Revoked).Token.ToArray());
        var nothing = await _store.UnrevokeAsync(_account, [Token(9)], Cancel);
        Assert.Equal(new RevocationResult(0, new(result.Version.After, result.Version.After)), nothing);
        await Assert.ThrowsAsync<ArgumentException>(async () => await _store.RevokeAsync(_account, [new byte[35]], Cancel));
    }

    [Fact]
    public async Task Append_IntoALargeMailbox_SendsOneCommand()
    {
        await Task.WhenAll(Enumerable.Range(0, 2_000).Select(i => StoreAsync(i)));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(_fixture.Configuration);
        var profile = new ProfilingSession();
        connection.RegisterProfiler(() => profile);
        var store = new RedisMailboxStore(connection, _time);
        var empty = RandomAccount();

        await store.AppendAsync(empty, NewMessage(Payload(-1)), Payload(-1), default, Cancel);
        var intoEmpty = profile.FinishProfiling().Select(static command => command.Command).ToList();
        await store.AppendAsync(_account, NewMessage(Payload(-1)), Payload(-1), default, Cancel);
        var intoLarge = profile.FinishProfiling().Select(static command => command.Command).ToList();

        Assert.Equal(["EVALSHA"], intoEmpty);
        Assert.Equal(["EVALSHA"], intoLarge);
    }

    [Fact]
    public async Task ChangeOf10000Messages_TakesARoundTripPer1000AndLetsOtherMailboxesThrough()
    {
        const int Count = 10_000;
        List<MessageHash> hashes = [];
        foreach (var chunk in Enumerable.Range(0, Count).Chunk(500))
            hashes.AddRange(await Task.WhenAll(chunk.Select(async i => (await StoreAsync(i)).Hash)));
        await using var connection = await ConnectionMultiplexer.ConnectAsync(_fixture.Configuration);
        var profile = new ProfilingSession();
        connection.RegisterProfiler(() => profile);
        var store = new RedisMailboxStore(connection, _time);
        // The server has to know the scripts already, as it does after the first change of its life.
        await store.SetExpiriesAsync(_account, new ExpiryChange[] { new(hashes[0], Now + Hour) }, Cancel);
        await store.RemoveAsync(_account, new[] { MessageHash.Compute(_account, 1, [1]) }, Cancel);
        profile.FinishProfiling();

        var expired = await WhileAnotherMailboxIsUsedAsync(
            async () => await store.SetExpiriesAsync(_account, hashes.Select(hash => new ExpiryChange(hash, Now + (Hour / 2))).ToArray(), Cancel));
        Assert.Equal(Count, expired.Found.Count(static found => found));
        Assert.InRange(profile.FinishProfiling().Count(), 1, Count / 1000);

        var removed = await WhileAnotherMailboxIsUsedAsync(async () => await store.RemoveAsync(_account, hashes.ToArray(), Cancel));
        Assert.Equal(Count, removed.Found.Count(static found => found));
        Assert.InRange(profile.FinishProfiling().Count(), 1, Count / 1000);
        Assert.Empty((await _store.LoadAsync(_account, Cancel)).Messages);
    }

    [Fact]
    public async Task Load_TwentyThousandMessages_HasAllInOrder()
    {
        const int Count = 20_000;
        List<long> sequences = [];
        foreach (var chunk in Enumerable.Range(0, Count).Chunk(500)) // a slow machine must not run into the client's timeout
            sequences.AddRange(await Task.WhenAll(chunk.Select(async i => (await StoreAsync(i)).Sequence)));

        var snapshot = await _store.LoadAsync(_account, Cancel);

        Assert.Equal(Count, snapshot.Messages.Count);
        Assert.Equal(sequences.Order(), snapshot.Messages.Select(static message => message.Sequence));
        var removed = await _store.RemoveAsync(_account, snapshot.Messages.Take(2_500).Select(static m => m.Hash).ToArray(), Cancel);
        Assert.Equal(2_500, removed.Found.Count(static found => found));
        Assert.Equal(new VersionStep(snapshot.Version, snapshot.Version + 3), removed.Version); // one step per batch
        Assert.Equal(snapshot.Messages.Skip(2_500), (await _store.LoadAsync(_account, Cancel)).Messages);
    }

    [Fact]
    public async Task Load_WhileAnotherWrites_MissesNothingOlderThanItsVersion()
    {
        var original = (await Task.WhenAll(Enumerable.Range(0, 2_500).Select(i => StoreAsync(i)))).ToHashSet();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var writer = Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                var entry = await StoreAsync(10_000 + i);
                if (i % 2 == 0)
                    await _store.RemoveAsync(_account, new[] { entry.Hash }, Cancel);
            }
        }, Cancel);

        for (var i = 0; i < 10; i++)
        {
            var snapshot = await _store.LoadAsync(_account, Cancel);
            Assert.All(snapshot.Messages, message => Assert.True(message.Sequence <= snapshot.Version));
            Assert.Equal(original.Count, snapshot.Messages.Count(original.Contains));
        }

        await stop.CancelAsync();
        await writer;
    }

    [Fact]
    public async Task Accounts_ManyAtOnce_DoNotMix()
    {
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            var account = RandomAccount();
            for (var n = 0; n < 5; n++)
            {
                var data = Payload((i * 10) + n);
                await _store.AppendAsync(
                    account, new(MessageHash.Compute(account, 0, data), 0, Now, Now + Hour), data, default, Cancel);
            }

            var snapshot = await _store.LoadAsync(account, Cancel);
            var read = await _store.ReadAsync(account, snapshot.Messages.Select(static m => m.Hash).ToArray(), Cancel);
            Assert.Equal(
                Enumerable.Range(0, 5).Select(n => Convert.ToHexString(Payload((i * 10) + n))),
                read.Select(static payload => Convert.ToHexString(payload!.Value.Span)));
        }));
    }

    [Fact]
    public async Task KeyPrefix_Different_SeparatesNetworks()
    {
        await StoreAsync(1);
        var other = new RedisMailboxStore(_fixture.Connection, _time, new MailboxStoreOptions { KeyPrefix = "other:" });

        Assert.Empty((await other.LoadAsync(_account, Cancel)).Messages);
        Assert.Throws<ArgumentException>(
            () => new RedisMailboxStore(_fixture.Connection, _time, new MailboxStoreOptions { KeyPrefix = "{x}" }));
    }

    [Fact]
    public async Task Call_WithAListener_IsOneClientSpanWithoutTheAccount()
    {
        List<Activity> spans = [];
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == StorageTelemetry.SourceName,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
        };
        using var root = new Activity("test") { ActivityTraceFlags = ActivityTraceFlags.Recorded }.Start();
        listener.ActivityStopped = activity =>
        {
            if (activity.RootId == root.RootId)
                spans.Add(activity);
        };
        ActivitySource.AddActivityListener(listener);

        await StoreAsync(1);

        var span = Assert.Single(spans);
        Assert.Equal((StorageTelemetry.Append, ActivityKind.Client), (span.OperationName, span.Kind));
        Assert.Equal("redis", span.GetTagItem(StorageTelemetry.SystemTag));
        Assert.Equal("EVALSHA", span.GetTagItem(StorageTelemetry.OperationTag));
        Assert.DoesNotContain(
            span.TagObjects, tag => tag.Value?.ToString()?.Contains(_account.ToString(), StringComparison.Ordinal) is true);
    }

    [Fact]
    public async Task Call_ServerRefuses_ThrowsOwnExceptionThatNamesNoAccount()
    {
        await _fixture.Connection.GetDatabase().StringSetAsync(IndexKey(), "not a hash");

        var e = await Assert.ThrowsAsync<MailboxStoreException>(async () => await StoreAsync(1));

        Assert.False(e.OutcomeUnknown);
        Assert.Null(e.InnerException);
        Assert.Contains(_account.ToShortString(), e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_account.ToString(), e.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Model_RandomOperations_BehavesLikeIt() => await new MailboxModel(_store, _time).CheckAsync();

    // The server answers another mailbox between any two steps of a long change.
    private async Task<ChangeResult> WhileAnotherMailboxIsUsedAsync(Func<Task<ChangeResult>> change)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(_fixture.Configuration);
        var (store, account) = (new RedisMailboxStore(connection, _time), RandomAccount());
        await store.GetVersionAsync(account, Cancel);
        var running = change();
        var answers = 0;
        for (; !running.IsCompleted; answers++)
            await store.GetVersionAsync(account, Cancel);
        Assert.True(answers >= 3, $"Another mailbox was answered only {answers} times while 10,000 messages were changed.");
        return await running;
    }

    private static AccountId RandomAccount()
    {
        var bytes = RandomNumberGenerator.GetBytes(AccountId.Length);
        bytes[0] = AccountId.SessionPrefix;
        return AccountId.FromBytes(bytes);
    }

    private static byte[] Payload(int number, int size = 101)
    {
        var data = new byte[size];
        new Random(number).NextBytes(data);
        return data;
    }

    private static ReadOnlyMemory<byte> Token(int number)
    {
        var token = new byte[IMailboxStore.TokenLength];
        new Random(number).NextBytes(token);
        return token;
    }

    private void Advance(long milliseconds) => _time.Advance(TimeSpan.FromMilliseconds(milliseconds));

    private NewMessage NewMessage(byte[] data, short ns = 0, long? timestamp = null, long? expiry = null) =>
        new(MessageHash.Compute(_account, ns, data), ns, timestamp ?? Now, expiry ?? Now + Hour);

    private async Task<MessageEntry> StoreAsync(int number, short ns = 0, long? expiry = null)
    {
        var data = Payload(number);
        var message = NewMessage(data, ns, expiry: expiry);
        var result = await _store.AppendAsync(_account, message, data, default, Cancel);
        return new(message.Hash, ns, result.Timestamp, result.Expiry, data.Length, result.Sequence);
    }

    private RedisKey IndexKey() => $"{{{_account}}}:idx";

    private RedisKey PayloadKey(MessageHash hash) => ((RedisKey)$"{{{_account}}}:m:").Append(hash.AsSpan().ToArray());

    private async Task<double> TimeToLiveAsync(RedisKey key) =>
        (await _fixture.Connection.GetDatabase().KeyTimeToLiveAsync(key))!.Value.TotalMilliseconds;
}
