using System.Security.Cryptography;
using CsCheck;
using Microsoft.Extensions.Time.Testing;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Storage.Tests.Mailboxes;

/// <summary>
/// Runs random sequences of calls against the store and against a list in memory that does the same in the plainest way, and compares
/// every answer. Messages are few, so that calls meet each other.
/// </summary>
internal sealed class MailboxModel(IMailboxStore store, FakeTimeProvider time)
{
    private const int Messages = 6;

    private enum Kind
    {
        Append, Remove, SetExpiry, Prune, Revoke, Unrevoke, Advance, Load,
    }

    public async Task CheckAsync()
    {
        var step = Gen.Select(Gen.Enum<Kind>(), Gen.Int[0, Messages - 1], Gen.Int[0, Messages - 1], Gen.Int[-15_000, 60_000]);
        await Task.Run(() => step.List[1, 40].Sample(steps => RunAsync(steps).GetAwaiter().GetResult(), iter: 200, threads: 1));
    }

    private async Task RunAsync(List<(Kind, int, int, int)> steps)
    {
        var account = AccountId.FromBytes(RandomNumberGenerator.GetBytes(AccountId.Length));
        List<MessageEntry> messages = [];
        List<int> revoked = [];
        var version = 0L;

        void Follow(VersionStep seen, bool changed)
        {
            Assert.Equal(version, seen.Before);
            Assert.True(changed ? seen.After > seen.Before : seen.After == seen.Before);
            version = seen.After;
        }

        foreach (var (kind, a, b, milliseconds) in steps)
        {
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            messages.RemoveAll(message => message.Expiry <= now / 10_000 * 10_000);
            var hash = Hash(account, a);
            var other = Hash(account, b);
            var at = messages.FindIndex(message => message.Hash == hash);
            switch (kind)
            {
                case Kind.Append:
                    var expiry = now + 15_000 + milliseconds;
                    var replaces = b % 2 == 0 ? new[] { other } : [];
                    var appended = await store.AppendAsync(account, new(hash, (short)a, now, expiry), new byte[a], replaces);
                    Assert.Equal(at >= 0, appended.AlreadyStored);
                    var extended = at >= 0 && expiry > messages[at].Expiry;
                    if (extended)
                        messages[at] = messages[at] with { Expiry = expiry };
                    var replaced = b % 2 == 0 && other != hash && messages.RemoveAll(message => message.Hash == other) > 0;
                    Follow(appended.Version, at < 0 || extended || replaced);
                    if (at < 0)
                        messages.Add(new(hash, (short)a, now, expiry, a, appended.Sequence));
                    var inForce = messages.Single(message => message.Hash == hash);
                    Assert.Equal(
                        (inForce.Sequence, inForce.Timestamp, inForce.Expiry),
                        (appended.Sequence, appended.Timestamp, appended.Expiry));
                    break;

                case Kind.Remove:
                    var removed = await store.RemoveAsync(account, a == b ? new[] { hash } : [hash, other]);
                    Assert.Equal(at >= 0, removed.Found[0]);
                    Follow(removed.Version, messages.RemoveAll(message => message.Hash == hash || message.Hash == other) > 0);
                    break;

                case Kind.SetExpiry:
                    var changed = await store.SetExpiriesAsync(account, new[] { new ExpiryChange(hash, now + milliseconds) });
                    Assert.Equal([at >= 0], changed.Found);
                    if (at >= 0)
                        messages[at] = messages[at] with { Expiry = now + milliseconds };
                    Follow(changed.Version, at >= 0);
                    break;

                case Kind.Prune:
                    await store.PruneAsync(account, new[] { hash, other });
                    break;

                case Kind.Revoke:
                    Follow((await store.RevokeAsync(account, [Token(a)])).Version, true);
                    revoked.Remove(a);
                    revoked.Add(a);
                    break;

                case Kind.Unrevoke:
                    var unrevoked = await store.UnrevokeAsync(account, [Token(a)]);
                    var was = revoked.Remove(a);
                    Assert.Equal(was ? 1 : 0, unrevoked.Count);
                    Follow(unrevoked.Version, was);
                    break;

                case Kind.Advance:
                    time.Advance(TimeSpan.FromMilliseconds(Math.Abs(milliseconds)));
                    break;

                default:
                    var snapshot = await store.LoadAsync(account);
                    Assert.Equal(messages, snapshot.Messages);
                    Assert.Equal(version, snapshot.Version);
                    Assert.Equal(revoked.Select(static token => (byte)token), snapshot.Revoked.Select(static entry => entry.Token.Span[0]));
                    var read = await store.ReadAsync(account, messages.Select(static message => message.Hash).ToArray());
                    Assert.Equal(messages.Select(static message => (int?)message.Size), read.Select(static payload => payload?.Length));
                    break;
            }
        }
    }

    private static MessageHash Hash(AccountId account, int number) => MessageHash.Compute(account, 0, [(byte)number]);

    private static byte[] Token(int number)
    {
        var token = new byte[IMailboxStore.TokenLength];
        token[0] = (byte)number;
        return token;
    }
}
