using Session.Orleans.Fuzz;

namespace Session.Orleans.Protocol.Tests;

/// <summary>A short run of every fuzzing target, and the inputs that once were findings.</summary>
public sealed class FuzzTests
{
    private const int Cases = 20_000;

    public static TheoryData<string> Targets => [.. FuzzTargets.All.Select(target => target.Name)];

    [Theory, MemberData(nameof(Targets))]
    public void Cases_OfTheFixedSeed_FindNothing(string name)
    {
        var run = new FuzzRun(FuzzTargets.All.Single(target => target.Name == name));

        run.Run(0, Cases);

        // How long an input takes is for the long run on a quiet machine: other tests run beside this one.
        Assert.DoesNotContain(run.Findings, finding => !finding.Problem.Contains("median", StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Targets))]
    public void Corpus_IsSurvived(string name)
    {
        var target = FuzzTargets.All.Single(target => target.Name == name);
        var run = new FuzzRun(target);
        var inputs = FuzzCorpus.Of(target).ToArray();

        Assert.NotEmpty(inputs);
        foreach (var (_, input) in inputs)
            run.RunOne(-1, input);
        Assert.Empty(run.Findings);
    }
}
