using System.CommandLine;
using Session.Orleans.Load.Results;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet load merge</c>: the results of all shards as one.</summary>
internal static class LoadMergeCommand
{
    private static readonly Argument<string[]> Files = new("FILE") { Description = "Results of the shards of one run", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<string[]> FailIf = new("--fail-if") { Description = $"End with exit code 4 if this holds for all together: {Threshold.Form}", HelpName = "CONDITION", DefaultValueFactory = _ => [] };
    private static readonly Option<string?> Result = new("--result") { Description = "Write the whole to this JSON file", HelpName = "FILE" };
    private static readonly Option<string?> Report = new("--report") { Description = "Write a report to this HTML file", HelpName = "FILE" };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("merge", "Joins the results of all shards of a run: ledgers and counts are added, percentiles computed anew from all times") { Files, FailIf, Result, Report, Output };
        command.SetAction(options =>
        {
            var merged = ResultMerge.Merge([.. options.GetValue(Files)!.Select(LoadResult.Read)]);
            return LoadCommand.Finish(
                merged.Check(LoadCommand.ReadThresholds(options.GetValue(FailIf)!)), options.GetValue(Result), options.GetValue(Report), options.GetValue(Output));
        });
        return command;
    }
}
