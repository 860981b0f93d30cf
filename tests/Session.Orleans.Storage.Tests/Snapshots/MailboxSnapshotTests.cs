using System.Security.Cryptography;
using Microsoft.Extensions.Time.Testing;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Storage.Snapshots;
using Session.Orleans.Storage.Tests.Mailboxes;

namespace Session.Orleans.Storage.Tests.Snapshots;

public sealed class EmbeddedMailboxSnapshotTests(EmbeddedFixture fixture) : MailboxSnapshotTests(fixture), IClassFixture<EmbeddedFixture>;

public sealed class RedisMailboxSnapshotTests(RedisFixture fixture) : MailboxSnapshotTests(fixture), IClassFixture<RedisFixture>;

/// <summary>Mailboxes into a snapshot and out of it, on every kind of server.</summary>
public abstract class MailboxSnapshotTests : IAsyncLifetime
{
    private const long Hour = 3_600_000;

    private readonly StoreFixture _fixture;
    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeMilliseconds(1_900_000_000_000));
    private RedisMailboxStore _store = null!;
    private MailboxSnapshotPart _part = null!;

    protected MailboxSnapshotTests(StoreFixture fixture) => _fixture = fixture;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    public ValueTask InitializeAsync()
    {
        Assert.SkipWhen(_fixture.SkipReason is not null, _fixture.SkipReason ?? "");
        var options = new MailboxStoreOptions { KeyPrefix = $"{Guid.NewGuid():N}:" };
        _store = new RedisMailboxStore(_fixture.Connection, _time, options);
        _part = new(_store, new MailboxCensus(_fixture.Connection, options), _time);
        return default;
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }

    [Fact]
    public async Task Restore_BringsEveryMailboxBackAsItWas()
    {
        var (first, second, revoking) = (RandomAccount(), RandomAccount(), RandomAccount());
        for (var i = 0; i < 600; i++) // more than is read and written at once
            await AppendAsync(first, i, ns: (short)(i % 3), size: i is 0 ? 0 : 20 + i);
        await AppendAsync(second, 1, missing: new(17, [3, 499]));
        await _store.RevokeAsync(second, [Token(1), Token(2)], Cancel);
        await _store.RevokeAsync(revoking, [Token(3)], Cancel);
        AccountId[] accounts = [first, second, revoking];
        var before = await Task.WhenAll(accounts.Select(DescribeAsync));
        using var file = await SaveAsync();
        Assert.Equal((3L, 601L), await FiguresAsync(file));

        var known = (await _store.LoadAsync(first, Cancel)).Version;
        var stranger = RandomAccount();
        await AppendAsync(stranger, 9);
        await _store.RevokeAsync(stranger, [Token(4)], Cancel);
        await AppendAsync(first, 1000);
        await _store.RemoveAsync(first, (await _store.LoadAsync(first, Cancel)).Messages.Take(300).Select(message => message.Hash).ToArray(), Cancel);
        await _store.RemoveAsync(second, (await _store.LoadAsync(second, Cancel)).Messages.Select(message => message.Hash).ToArray(), Cancel);
        await _store.RevokeAsync(second, [Token(5)], Cancel);
        await _store.UnrevokeAsync(revoking, [Token(3)], Cancel);

        await RestoreAsync(file);
        await RestoreAsync(file); // a second time, as after an interruption

        Assert.Equal(before, await Task.WhenAll(accounts.Select(DescribeAsync)));
        var empty = await _store.LoadAsync(stranger, Cancel);
        Assert.Empty(empty.Messages);
        Assert.Empty(empty.Revoked);

        // Who keeps an index in memory sees that it is another one, and what comes next comes last.
        Assert.True((await _store.LoadAsync(first, Cancel)).Version > known);
        await AppendAsync(first, 2000);
        Assert.Equal(Hash(first, 0, Data(2000, 20)), (await _store.LoadAsync(first, Cancel)).Messages[^1].Hash);
        using var again = await SaveAsync();
        Assert.Equal((3L, 602L), await FiguresAsync(again));
    }

    [Fact]
    public async Task WhatHasExpiredSince_StaysGone()
    {
        var account = RandomAccount();
        await AppendAsync(account, 1, expiry: Now + 60_000);
        await AppendAsync(account, 2, expiry: Now + Hour);
        using var file = await SaveAsync();

        _time.Advance(TimeSpan.FromMinutes(5));
        await RestoreAsync(file);

        var message = Assert.Single((await _store.LoadAsync(account, Cancel)).Messages);
        Assert.Equal(Hash(account, 0, Data(2, 20)), message.Hash);
    }

    [Fact]
    public async Task EmptyNetwork_EmptiesTheStore()
    {
        using var file = await SaveAsync();
        var account = RandomAccount();
        await AppendAsync(account, 1);

        await RestoreAsync(file);

        Assert.Empty((await _store.LoadAsync(account, Cancel)).Messages);
    }

    private async Task<MemoryStream> SaveAsync()
    {
        var file = new MemoryStream();
        await SnapshotFile.WriteAsync([_part], file, Cancel);
        return file;
    }

    private async Task RestoreAsync(Stream file) =>
        await _part.RestoreAsync(SnapshotFile.ReadPartAsync(file, _part.Format.Id, Cancel), Cancel);

    private static async Task<(long Mailboxes, long Messages)> FiguresAsync(Stream file)
    {
        var figures = (await SnapshotFile.CheckAsync(file, [MailboxSnapshotPart.RecordFormat], Cancel))["mailboxes"];
        return (figures["mailboxes"], figures["messages"]);
    }

    /// <summary>All that a client or a second writer can see of a mailbox, but its version.</summary>
    private async Task<string> DescribeAsync(AccountId account)
    {
        var (_, messages, revoked) = await _store.LoadAsync(account, Cancel);
        var payloads = await _store.ReadAsync(account, messages.Select(message => message.Hash).ToArray(), Cancel);
        return string.Join('\n', messages.Select((message, i) =>
                $"{message.Hash} {message.Namespace} {message.Timestamp} {message.Expiry} {message.Size} {message.Sequence} "
                + $"{message.Missing?.Height} {string.Join(',', message.Missing?.Nodes ?? [])} {Convert.ToHexString(payloads[i]!.Value.Span)}"))
            + '\n' + string.Join('\n', revoked.Select(token => $"{Convert.ToHexString(token.Token.Span)} {token.InsertedAt}"));
    }

    private async Task AppendAsync(
        AccountId account, int number, short ns = 0, int size = 20, long? expiry = null, MissingMembers? missing = null)
    {
        var data = Data(number, size);
        await _store.AppendAsync(account, new(Hash(account, ns, data), ns, Now, expiry ?? Now + Hour, missing), data, default, Cancel);
    }

    private static MessageHash Hash(AccountId account, short ns, byte[] data) => MessageHash.Compute(account, ns, data);

    private static byte[] Data(int number, int size)
    {
        var data = new byte[size];
        new Random(number).NextBytes(data);
        return data;
    }

    private static ReadOnlyMemory<byte> Token(int number) => Data(number, IMailboxStore.TokenLength);

    private static AccountId RandomAccount()
    {
        var bytes = RandomNumberGenerator.GetBytes(AccountId.Length);
        bytes[0] = AccountId.SessionPrefix;
        return AccountId.FromBytes(bytes);
    }
}
