using System.Buffers.Binary;
using CsCheck;
using Session.Orleans.Grains.Mailboxes;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Storage;

namespace Session.Orleans.Cluster.Tests.Mailboxes;

/// <summary>The index against a plain list that does the same the slow way.</summary>
public sealed class MailboxIndexTests
{
    private const long Start = 1_700_000_000_000;
    private static readonly short[] Spaces = [0, 2, 11, -1, -10];

    private static readonly Gen<Step> Steps = Gen.Frequency<Step>(
        (10, Gen.Select(Gen.Int[0, 40], Gen.OneOf(Spaces), Gen.Long[1, 60_000], Gen.Int[0, 76_800], Gen.Long[0, 12_000],
            (id, space, life, size, late) => (Step)new Step.Store(id, space, life, size, late))),
        (2, Gen.Int[0, 400].Array[1, 8].Select(ids => (Step)new Step.Remove(ids))),
        (3, Gen.Select(Gen.Int[0, 400], Gen.Long[1, 60_000], (id, life) => (Step)new Step.SetExpiry(id, life))),
        (3, Gen.Long[0, 25_000].Select(by => (Step)new Step.Advance(by))),
        (6, Gen.Select(Gen.OneOf(Spaces), Gen.Int[-1, 400], Gen.Int[-2, 40], Gen.OneOf(0, -1, -5, -1000, 200, 30_000, 500_000, 9_000_000),
            (space, after, count, size) => (Step)new Step.Select(space, after, count, size))),
        (1, Gen.Const<Step>(new Step.All())));

    [Fact]
    public void AnySequenceOfOperations_GivesWhatAPlainListGives() =>
        Gen.Select(Gen.OneOf(0, 3, 100, 127, 128, 129, 300), Steps.Array[1, 80]).Sample((stored, steps) =>
        {
            var model = new Model(stored);
            var index = new MailboxIndex(model.Snapshot());
            foreach (var step in steps)
                step.Run(index, model);
            new Step.All().Run(index, model);
        }, iter: 500, threads: 1);

    [Fact]
    public void GrowingPastTheTableAndShrinkingAgain_FindsEveryMessage()
    {
        var model = new Model(0);
        var index = new MailboxIndex(model.Snapshot());
        for (var id = 0; id < 400; id++)
            new Step.Store(id, Spaces[id % 3], 50_000, 10, 0).Run(index, model);
        new Step.Remove([.. Enumerable.Range(0, 390)]).Run(index, model);
        new Step.All().Run(index, model);
        for (var id = 0; id < 200; id++)
            new Step.Store(id, Spaces[id % 3], 50_000, 10, 0).Run(index, model);
        new Step.All().Run(index, model);
    }

    [Fact]
    public void Select_UnlimitedRequest_StopsAtTheDefaultSize()
    {
        // The specification's own example: 16 messages of 70000 bytes by default, 27 for -3, 83 for -1.
        var model = new Model(0);
        var index = new MailboxIndex(model.Snapshot());
        for (var id = 0; id < 90; id++)
            new Step.Store(id, 0, 50_000, 70_000, 0).Run(index, model);
        Assert.Equal(16, index.Select(0, null, null, null, null, out var more).Length);
        Assert.True(more);
        Assert.Equal(27, index.Select(0, null, null, -3, null, out _).Length);
        Assert.Equal(83, index.Select(0, null, null, -1, null, out _).Length);
        Assert.Equal(1, index.Select(0, null, null, 1, null, out _).Length);
        Assert.Equal(83, index.Select(0, null, 90, null, null, out _).Length);
        Assert.Equal(7, index.Select(0, Model.HashOf(82), 90, null, null, out more).Length);
        Assert.False(more);
    }

    [Fact]
    public void Store_WhenTheStoresClockHasSweptTheOldCopy_TakesTheLastPlace()
    {
        var model = new Model(0);
        var index = new MailboxIndex(model.Snapshot());
        new Step.Store(1, 0, 1, 10, 0).Run(index, model);
        new Step.Store(2, 0, 50_000, 10, 0).Run(index, model);
        new Step.Store(1, 0, 50_000, 10, 10_000).Run(index, model);
        Assert.Equal([Model.HashOf(2), Model.HashOf(1)], index.Select(0, null, 9, null, null, out _).ToArray().Select(entry => entry.Hash));
    }

    [Fact]
    public void IsRevoked_WholeTokenOnly()
    {
        var token = Enumerable.Range(0, 36).Select(i => (byte)i).ToArray();
        var index = new MailboxIndex(new(1, [], [new(token, Start)]));
        Assert.True(index.IsRevoked(token));
        var other = token.ToArray();
        other[35] ^= 1;
        Assert.False(index.IsRevoked(other));
    }

    /// <summary>The store and its clock, as a list of messages in storage order.</summary>
    private sealed class Model
    {
        private readonly List<MessageEntry> _messages = [];
        private long _version = 1000;

        public Model(int stored)
        {
            for (var id = 0; id < stored; id++)
                _messages.Add(new(HashOf(id), Spaces[id % Spaces.Length], Start + id, Start + 1 + (id * 200), id * 7, ++_version));
        }

        public long Now { get; set; } = Start;

        public IReadOnlyList<MessageEntry> Live => [.. _messages.Where(message => message.Expiry > Now - (Now % 10_000))];

        public static MessageHash HashOf(int id)
        {
            Span<byte> bytes = stackalloc byte[32];
            BinaryPrimitives.WriteInt32BigEndian(bytes, id);
            return new(new Bytes32(bytes));
        }

        public MailboxSnapshot Snapshot() => new(_version, Live, []);

        public AppendResult Append(NewMessage message, int size, MessageHash[] replaces)
        {
            var before = _version;
            var at = _messages.FindIndex(old => old.Hash == message.Hash);
            if (at >= 0 && Live.Contains(_messages[at]))
            {
                var old = _messages[at] with { Expiry = Math.Max(_messages[at].Expiry, message.Expiry) };
                _messages[at] = old;
                _messages.RemoveAll(other => replaces.Contains(other.Hash) && other.Hash != message.Hash);
                return new(true, old.Sequence, old.Timestamp, old.Expiry, new(before, ++_version));
            }

            if (at >= 0)
                _messages.RemoveAt(at);
            _messages.RemoveAll(other => replaces.Contains(other.Hash));
            _messages.Add(new(message.Hash, message.Namespace, message.Timestamp, message.Expiry, size, ++_version));
            return new(false, _version, message.Timestamp, message.Expiry, new(before, _version));
        }

        public void Remove(HashSet<MessageHash> hashes) => _messages.RemoveAll(message => hashes.Contains(message.Hash));

        public void SetExpiry(MessageHash hash, long expiry)
        {
            var at = _messages.FindIndex(message => message.Hash == hash);
            if (at >= 0 && Live.Contains(_messages[at]))
                _messages[at] = _messages[at] with { Expiry = expiry };
        }

        /// <summary>Storage-rpc.md, 9, word for word.</summary>
        public (MessageHash[] Page, bool More) Select(short space, MessageHash? after, int maxCount, int maxSize)
        {
            var all = Live.Where(message => message.Namespace == space).ToList();
            var from = after is null ? -1 : all.FindIndex(message => message.Hash == after);
            all = [.. all.Skip(from + 1)];
            long limit = maxSize > 0 ? Math.Min(maxSize, 7_800_000) : maxSize < 0 ? 7_800_000 / -maxSize : maxCount > 0 ? 7_800_000 : 7_800_000 / 5;
            var (sum, taken) = (0L, 0);
            foreach (var message in all)
            {
                sum += 100 + 43 + (message.Size * 4 / 3);
                if (taken > 0 && (sum > limit || (maxCount > 0 && taken == maxCount)))
                    break;
                taken++;
            }

            return ([.. all.Take(taken).Select(message => message.Hash)], taken < all.Count);
        }
    }

    private abstract record Step
    {
        public abstract void Run(MailboxIndex index, Model model);

        /// <param name="Late">Time that passes between the mailbox's look at the clock and the store's.</param>
        public sealed record Store(int Id, short Space, long Life, int Size, long Late) : Step
        {
            public override void Run(MailboxIndex index, Model model)
            {
                index.Sweep(model.Now);
                var hash = Model.HashOf(Id);
                var replaces = Namespaces.IsPublicOutbox(Space) ? index.Others(Space, hash) : [];
                model.Now += Late;
                // A hash is one message's: a second one in another namespace is a duplicate of the first, wherever that is.
                var message = new NewMessage(hash, Space, model.Now, model.Now + Life);
                var result = model.Append(message, Size, replaces);
                Assert.Equal(index.Version, result.Version.Before);
                index.Stored(message, Size, result, replaces);
            }
        }

        public sealed record Remove(int[] Ids) : Step
        {
            public override void Run(MailboxIndex index, Model model)
            {
                index.Sweep(model.Now);
                var hashes = Ids.Select(Model.HashOf).ToHashSet();
                model.Remove(hashes);
                index.Removed(hashes);
            }
        }

        public sealed record SetExpiry(int Id, long Life) : Step
        {
            public override void Run(MailboxIndex index, Model model)
            {
                index.Sweep(model.Now);
                model.SetExpiry(Model.HashOf(Id), model.Now + Life);
                index.ExpirySet(Model.HashOf(Id), model.Now + Life);
            }
        }

        public sealed record Advance(long By) : Step
        {
            public override void Run(MailboxIndex index, Model model) => model.Now += By;
        }

        public sealed record Select(short Space, int After, int MaxCount, int MaxSize) : Step
        {
            public override void Run(MailboxIndex index, Model model)
            {
                index.Sweep(model.Now);
                MessageHash? after = After < 0 ? null : Model.HashOf(After);
                var page = index.Select(Space, after, MaxCount, MaxSize, null, out var more).ToArray();
                var (expected, expectedMore) = model.Select(Space, after, MaxCount, MaxSize);
                Assert.Equal(expected, page.Select(entry => entry.Hash));
                Assert.Equal(expectedMore, more);
            }
        }

        public sealed record All : Step
        {
            public override void Run(MailboxIndex index, Model model)
            {
                index.Sweep(model.Now);
                var live = model.Live;
                Assert.Equal(live.Count, index.Count);
                Assert.Equal(live, index.All(null, long.MaxValue).OrderBy(entry => entry.Sequence));
                Assert.Equal(
                    live.Where(entry => entry.Namespace == 0 && entry.Timestamp <= model.Now - 5000), index.All(0, model.Now - 5000));
                var byHash = live.ToDictionary(entry => entry.Hash);
                for (var id = 0; id < 410; id++)
                {
                    var known = index.TryGet(Model.HashOf(id), out var entry);
                    Assert.Equal(byHash.TryGetValue(Model.HashOf(id), out var expected), known);
                    Assert.Equal(expected, entry);
                }
            }
        }
    }
}
