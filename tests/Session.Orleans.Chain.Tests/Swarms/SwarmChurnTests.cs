namespace Session.Orleans.Chain.Tests.Swarms;

public sealed class SwarmChurnTests
{
    [Fact]
    public void FiveThousandJoinsAndLeaves_KeepTheRulesAndMoveOnlyTheAccountsTheyMust() => Run(5_000);

    /// <summary>A minute or so; run it with <c>--explicit only</c>, and <c>--show-live-output on</c> for the histogram.</summary>
    [Fact(Explicit = true)]
    public void HundredThousandJoinsAndLeaves_KeepTheRulesAndMoveOnlyTheAccountsTheyMust() => Run(100_000);

    private static void Run(int events)
    {
        var churn = new SwarmChurn(seed: 20240);
        churn.Run(events); // which checks the rules after every block
        Assert.True(churn.Report.Events >= events);
        TestContext.Current.TestOutputHelper!.WriteLine(churn.Report.ToString());
    }
}
