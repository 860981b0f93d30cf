using System.CommandLine;
using Session.Orleans.Load.Results;
using Session.Orleans.Testnet.LoadTests;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet load compare</c>: two runs side by side.</summary>
internal static class LoadCompareCommand
{
    private static readonly Argument<string> Before = new("A") { Description = "Result of the earlier run" };
    private static readonly Argument<string> After = new("B") { Description = "Result of the later run" };
    private static readonly Option<double?> Tolerance = CommonOptions.Share("--tolerance", "End with exit code 4 if B is worse than A by more than this share: p50, p99 or rate; and if it lost, duplicated or corrupted more");
    private static readonly Option<string?> Report = new("--report") { Description = "Write a report with both runs to this HTML file", HelpName = "FILE" };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("compare", "Shows how a run differs from an earlier one") { Before, After, Tolerance, Report, Output };
        command.SetAction(options =>
        {
            var comparison = ResultComparison.Of(LoadResult.Read(options.GetValue(Before)!), LoadResult.Read(options.GetValue(After)!));
            if (options.GetValue(Report) is { } file)
                HtmlReport.Save(file, comparison.After, comparison.Before);
            if (options.GetValue(Output) is OutputFormat.Json)
                Console.WriteLine(comparison.ToJson());
            else
                LoadSummary.Print(comparison);
            if (options.GetValue(Tolerance) is not { } tolerance || comparison.WorseThan(tolerance) is not { Count: > 0 } worse)
                return ExitCodes.Ok;
            throw new CommandException(ExitCodes.CheckFailed, $"The later run is worse: {string.Join("; ", worse)}.");
        });
        return command;
    }
}
