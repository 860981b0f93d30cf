namespace Session.Orleans.Failure.Tests.History;

/// <summary>The judge must see what it is there for, and nothing else.</summary>
public sealed class HistoryCheckerTests
{
    private const string Mailbox = "0512345678";

    // One sender: a, b, c one after another; x overlaps all of them; u has no known outcome; r was refused.
    private static readonly StoreOperation[] Stores =
    [
        new(Mailbox, "a", 0, 10, StoreOutcome.Acknowledged), new(Mailbox, "b", 11, 20, StoreOutcome.Acknowledged), new(Mailbox, "c", 21, 30, StoreOutcome.Acknowledged),
        new(Mailbox, "x", 5, 25, StoreOutcome.Acknowledged), new(Mailbox, "u", 31, 40, StoreOutcome.Unknown), new(Mailbox, "r", 0, 40, StoreOutcome.Refused),
    ];

    [Theory]
    [InlineData("a x b c")]
    [InlineData("x a b c")]
    [InlineData("a b c x")]
    [InlineData("a b c x u")]
    public void Judge_WhatMayBe_IsLetPass(string final) => Assert.Empty(Judge(final, final));

    [Theory]
    [InlineData("a x c", ViolationKind.Lost, "b")]
    [InlineData("a x b", ViolationKind.Lost, "c")]
    [InlineData("", ViolationKind.Lost, "a", "b", "c", "x")]
    [InlineData("a x b c b", ViolationKind.Duplicated, "b")]
    [InlineData("a x b c u u", ViolationKind.Duplicated, "u")]
    [InlineData("a x c b", ViolationKind.Reordered, "c")]
    [InlineData("b a x c", ViolationKind.Reordered, "b")]
    [InlineData("u a b c x", ViolationKind.Reordered, "u")]
    [InlineData("a x b c r", ViolationKind.Phantom, "r")]
    [InlineData("a x b c never", ViolationKind.Phantom, "never")]
    public void Judge_WrongContent_IsCaught(string final, ViolationKind kind, params string[] messages)
    {
        var violations = Judge(null, final);
        Assert.All(violations, violation => Assert.Equal(kind, violation.Kind));
        Assert.Equal(messages, violations.Select(violation => violation.Message).Order());
    }

    [Theory]
    [InlineData("a x c", ViolationKind.Lost, "b")] // passed by
    [InlineData("a x b", ViolationKind.Lost, "c")]
    [InlineData("a x b c b", ViolationKind.Duplicated, "b")]
    [InlineData("a b x c", ViolationKind.Reordered, "x")]
    [InlineData("a x b c u", ViolationKind.Lost, "u")] // read, and gone
    public void Judge_WrongReading_IsCaught(string read, ViolationKind kind, string message)
    {
        var violation = Assert.Single(Judge(read, "a x b c"));
        Assert.Equal((kind, message), (violation.Kind, violation.Message));
        Assert.Contains(message, violation.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Judge_TwoMailboxes_AreApart()
    {
        StoreOperation[] stores = [.. Stores, new("05other000", "z", 0, 1, StoreOutcome.Acknowledged)];
        Assert.Empty(HistoryChecker.Judge(stores, [], [new(Mailbox, ["a", "x", "b", "c"]), new("05other000", ["z"])]));
        Assert.Equal(
            [(ViolationKind.Lost, "05other000"), (ViolationKind.Phantom, Mailbox)],
            HistoryChecker.Judge(stores, [], [new(Mailbox, ["a", "x", "b", "c", "z"])]).Select(violation => (violation.Kind, violation.Mailbox)).Order());
    }

    [Fact]
    public void Judge_ManyMessages_FindsTheOneThatIsMissing()
    {
        var messages = Enumerable.Range(0, 5000).Select(i => $"message {i}").ToArray();
        var stores = messages.Select((message, i) => new StoreOperation(Mailbox, message, 2 * i, (2 * i) + 1, StoreOutcome.Acknowledged)).ToArray();
        Assert.Empty(HistoryChecker.Judge(stores, [new(Mailbox, messages)], [new(Mailbox, messages)]));
        string[] without = [.. messages.Where((_, i) => i != 4321)];
        Assert.Equal("message 4321", Assert.Single(HistoryChecker.Judge(stores, [new(Mailbox, without)], [new(Mailbox, without)])).Message);
    }

    private static IReadOnlyList<Violation> Judge(string? read, string final) => HistoryChecker.Judge(
        Stores, read is null ? [] : [new(Mailbox, Words(read))], [new(Mailbox, Words(final))]);

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
