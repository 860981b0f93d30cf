using System.Security.Cryptography;
using Session.Orleans.Load.Ledger;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Load.Tests;

/// <summary>The ledger catches everything that can become of a message.</summary>
public sealed class LedgerTests
{
    private const int Reader = 7;
    private static readonly byte[] Content = "what was sent"u8.ToArray();

    private readonly MessageLedger _ledger = new(lateAfter: TimeSpan.FromSeconds(5));

    [Fact]
    public void DeliveredOnce_IsDelivered_AndNothingElse()
    {
        var hash = Send(storedAt: 1);

        Assert.Equal(Delivery.InTime, Find(hash, at: 2));

        Assert.Equal(LedgerTotals.Empty with { Expected = 1, Delivered = 1 }, _ledger.Totals());
        Assert.Equal(0, _ledger.Outstanding);
        Assert.Empty(_ledger.ReadersToWaitFor());
    }

    [Fact]
    public void NeverFound_IsLost()
    {
        _ = Send(storedAt: 1);

        Assert.Equal(LedgerTotals.Empty with { Expected = 1, Lost = 1 }, _ledger.Totals());
        Assert.Equal([Reader], _ledger.ReadersToWaitFor());
    }

    [Fact]
    public void NobodyLookedForIt_IsUnread_AndNotLost()
    {
        _ = Send(storedAt: 1);
        Find(Send(storedAt: 1), at: 2);

        var totals = _ledger.Totals(wasRead: false);

        Assert.Equal(LedgerTotals.Empty with { Expected = 2, Delivered = 1, Unread = 1 }, totals);
        Assert.Equal(2, (totals + totals).Unread);
    }

    [Fact]
    public void FromTwoMembers_IsNoDuplicate()
    {
        var hash = Send(storedAt: 1);

        Assert.Equal(Delivery.InTime, Find(hash, at: 2, member: 0));
        Assert.Equal(Delivery.Known, Find(hash, at: 3, member: 1));

        Assert.Equal(0, _ledger.Totals().Duplicated);
    }

    [Fact]
    public void FromOneMemberTwice_ThoughToldHowFarOneIs_IsADuplicate()
    {
        var hash = Send(storedAt: 1);
        _ = Find(hash, at: 2, member: 3);

        Assert.Equal(Delivery.Duplicated, Find(hash, at: 3, member: 3, isAfterOthers: true));
        Assert.Equal(Delivery.Duplicated, _ledger.Repeat(hash, Reader, member: 3, isAfterOthers: true));

        Assert.Equal(LedgerTotals.Empty with { Expected = 1, Delivered = 1, Duplicated = 2 }, _ledger.Totals());
    }

    [Fact]
    public void FromTheBeginningAgain_IsNoDuplicate()
    {
        var hash = Send(storedAt: 1);
        _ = Find(hash, at: 2);

        Assert.Equal(Delivery.Known, _ledger.Repeat(hash, Reader, member: 0, isAfterOthers: false));
    }

    [Fact]
    public void UnderAnotherHash_IsADuplicate_IfItSaysThatThisRunSentIt()
    {
        var hash = Send(storedAt: 1);
        _ = Find(hash, at: 2);

        Assert.Equal(Delivery.Duplicated, Find(NewHash(), at: 3, isOfThisRun: true));
        Assert.Equal(Delivery.Foreign, Find(NewHash(), at: 3));

        var totals = _ledger.Totals();
        Assert.Equal((1, 1), (totals.Duplicated, totals.Foreign));
    }

    [Theory]
    [InlineData(5.9, nameof(Delivery.InTime))]
    [InlineData(6.1, nameof(Delivery.Late))]
    public void LongAfterItWasStored_IsLate(double at, string expected)
    {
        var hash = Send(storedAt: 1);

        Assert.Equal(expected, Find(hash, at).ToString());

        Assert.Equal(expected is nameof(Delivery.Late) ? 1 : 0, _ledger.Totals().Late);
        Assert.Equal(1, _ledger.Totals().Delivered);
    }

    [Fact]
    public void ReaderWhoWasAway_MakesNothingLate()
    {
        var hash = Send(storedAt: 1);

        Assert.Equal(Delivery.InTime, Find(hash, at: 100, onlineSince: 98));
    }

    [Fact]
    public void OtherContent_IsCorrupted_AndNotLostBesides()
    {
        var hash = Send(storedAt: 1);

        Assert.Equal(Delivery.Corrupted, Find(hash, at: 2, content: "what was tampered with"u8.ToArray()));
        Assert.Equal(Delivery.Corrupted, Find(hash, at: 3, isIntact: false));

        Assert.Equal(LedgerTotals.Empty with { Expected = 1, Corrupted = 1 }, _ledger.Totals());
    }

    [Fact]
    public void CorruptedAtOneMember_AndWholeAtAnother_IsDeliveredAndCorrupted()
    {
        var hash = Send(storedAt: 1);
        _ = Find(hash, at: 2, isIntact: false);

        Assert.Equal(Delivery.InTime, Find(hash, at: 3, member: 1));

        Assert.Equal(LedgerTotals.Empty with { Expected = 1, Delivered = 1, Corrupted = 1 }, _ledger.Totals());
    }

    [Fact]
    public void FoundBeforeItsSenderHasTheAnswer_IsDelivered()
    {
        var hash = NewHash();
        var message = _ledger.Open(hash, [Reader], Content, TimeSpan.Zero);

        Assert.Equal(Delivery.InTime, Find(hash, at: 1));
        _ledger.Confirm(message, TimeSpan.FromSeconds(2));

        Assert.Equal(LedgerTotals.Empty with { Expected = 1, Delivered = 1 }, _ledger.Totals());
        Assert.Equal(0, _ledger.Outstanding);
    }

    [Fact]
    public void NoAnswer_ExpectsNothing_ButKnowsTheMessage()
    {
        var hash = NewHash();
        _ledger.GiveUp(_ledger.Open(hash, [Reader], Content, TimeSpan.Zero));
        Assert.Equal(LedgerTotals.Empty with { Unconfirmed = 1 }, _ledger.Totals());

        Assert.Equal(Delivery.InTime, Find(hash, at: 1));
        Assert.Equal(Delivery.Duplicated, Find(hash, at: 2, isAfterOthers: true));
    }

    [Fact]
    public void Refused_IsNeitherExpectedNorKnown()
    {
        var hash = NewHash();
        _ledger.Refuse(_ledger.Open(hash, [Reader], Content, TimeSpan.Zero));

        Assert.Equal(Delivery.Foreign, Find(hash, at: 1));
        Assert.Equal((0, 1), (_ledger.Totals().Expected, _ledger.Totals().Refused));
    }

    [Fact]
    public void GroupMessage_IsExpectedByEachReader()
    {
        var hash = NewHash();
        _ledger.Confirm(_ledger.Open(hash, [1, 2, 3], Content, TimeSpan.Zero), TimeSpan.FromSeconds(1));

        Assert.Equal(Delivery.InTime, Find(hash, at: 2, reader: 1));
        Assert.Equal(Delivery.InTime, Find(hash, at: 2, reader: 3));

        Assert.Equal(LedgerTotals.Empty with { Expected = 3, Delivered = 2, Lost = 1 }, _ledger.Totals());
        Assert.Equal([2], _ledger.ReadersToWaitFor());
    }

    [Fact]
    public void Folded_IsStillADuplicateWhenItComesAgain_AndNothingElseChanges()
    {
        var (old, open) = (Send(storedAt: 1), Send(storedAt: 1));
        _ = Find(old, at: 2);
        var before = _ledger.Totals();

        _ledger.Fold(TimeSpan.FromSeconds(60));

        Assert.Equal(before, _ledger.Totals());
        Assert.Equal(Delivery.Duplicated, Find(old, at: 61, isOfThisRun: true));
        Assert.Equal(Delivery.Late, Find(open, at: 62));
    }

    [Fact]
    public void ManyThreads_LoseNoCount()
    {
        const int Count = 20_000;
        var hashes = Enumerable.Range(0, Count).Select(_ => NewHash()).ToArray();
        Parallel.For(0, Count, i =>
        {
            var message = _ledger.Open(hashes[i], [i], Content, TimeSpan.Zero);
            if (i % 2 == 0)
                _ledger.Confirm(message, TimeSpan.FromSeconds(1));
            if (i % 5 != 0)
                _ = Find(hashes[i], at: 2, reader: i);
            if (i % 2 != 0)
                _ledger.Confirm(message, TimeSpan.FromSeconds(1));
        });

        Assert.Equal(LedgerTotals.Empty with { Expected = Count, Delivered = Count * 4 / 5, Lost = Count / 5 }, _ledger.Totals());
        Assert.Equal(Count / 5, _ledger.ReadersToWaitFor().Count);
    }

    private static MessageHash NewHash() => new(new Bytes32(RandomNumberGenerator.GetBytes(Bytes32.Length)));

    private MessageHash Send(double storedAt)
    {
        var hash = NewHash();
        _ledger.Confirm(_ledger.Open(hash, [Reader], Content, TimeSpan.Zero), TimeSpan.FromSeconds(storedAt));
        return hash;
    }

    private Delivery Find(
        MessageHash hash, double at, int member = 0, int reader = Reader, bool isAfterOthers = false, bool isIntact = true, bool isOfThisRun = false, byte[]? content = null,
        double onlineSince = 0) => _ledger.Deliver(
        new()
        {
            Hash = hash,
            Reader = reader,
            Member = member,
            IsAfterOthers = isAfterOthers,
            IsIntact = isIntact,
            IsOfThisRun = isOfThisRun,
            Content = content ?? Content,
            At = TimeSpan.FromSeconds(at),
            OnlineSince = TimeSpan.FromSeconds(onlineSince),
        },
        out _);
}
