using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Session.Orleans.Testnet.Commands;
using Spectre.Console;

namespace Session.Orleans.Testnet.Bench;

/// <summary>How cost grows with size, as <c>bench mailboxes</c>, <c>depth</c>, <c>memory</c> and <c>silos</c> print it.</summary>
/// <param name="Benchmark">Name of the command.</param>
/// <param name="Date">End of the run, UTC.</param>
/// <param name="Version">Version of this program.</param>
/// <param name="Cpu">Model of the processor.</param>
/// <param name="Cores">Logical processors, shared by client and servers.</param>
/// <param name="Load">Processes that wanted to run in the minute before the end; null where the system does not say.</param>
/// <param name="Base">What is compared with.</param>
/// <param name="Subject">What is compared.</param>
/// <param name="Settings">Sizes, by the name of their option.</param>
/// <param name="Rows">The figures.</param>
internal sealed record BenchScaleReport(
    string Benchmark, DateTimeOffset Date, string Version, string Cpu, int Cores, double? Load, string Base, string Subject,
    IReadOnlyDictionary<string, int> Settings, IReadOnlyList<BenchScaleRow> Rows)
{
    /// <summary>A report of this machine and moment.</summary>
    public static BenchScaleReport Create(
        string benchmark, string @base, string subject, IReadOnlyDictionary<string, int> settings, IReadOnlyList<BenchScaleRow> rows) => new(
        benchmark, DateTimeOffset.UtcNow, typeof(BenchScaleReport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
        Machine.ReadCpuModel(), Environment.ProcessorCount, Machine.ReadLoad(), @base, subject, settings, rows);

    /// <summary>Prints it for people or for scripts.</summary>
    public void Print(OutputFormat format)
    {
        if (format is OutputFormat.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(this, BenchJsonContext.Default.BenchScaleReport));
            return;
        }

        var culture = CultureInfo.InvariantCulture;
        Console.Error.WriteLine(string.Create(culture, $"{Date:yyyy-MM-dd HH:mm} UTC, session-testnet {Version}, {Cpu}, {Cores} logical processors, load {Load:0.0}"));
        var table = new Table { Border = TableBorder.Rounded };
        table.AddColumn(new TableColumn("figure").NoWrap());
        foreach (var title in (string[])[Base, Subject, "ratio", "goal", "met"])
            table.AddColumn(new TableColumn(Markup.Escape(title)).RightAligned());
        foreach (var row in Rows)
        {
            var isRatio = row.Ratio is not null;
            table.AddRow(
                Markup.Escape($"{row.Name} ({row.Unit})"), row.Base?.ToString("0.0#", culture) ?? "", row.Value.ToString("0.0#", culture),
                isRatio ? string.Create(culture, $"{row.Ratio:0.000} ± {row.Error:0.000}") : "",
                row.Goal is { } goal ? string.Create(culture, $"<= {goal:0.0#}{(isRatio ? "" : " " + row.Unit)}") : "",
                row.IsMet switch { true => "yes", false => "no", null => "" });
        }

        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = 120; // a file has no width, and 80 cuts the heads of the columns
        AnsiConsole.Write(table);
    }
}

/// <summary>One figure of <see cref="BenchScaleReport"/>.</summary>
/// <param name="Name">What it tells.</param>
/// <param name="Unit">Unit of both values.</param>
/// <param name="Base">The value of what is compared with; null if there is none.</param>
/// <param name="Value">The value of what is compared.</param>
/// <param name="Ratio">The one to the other, round by round: mean over the middle half. Null if the value itself counts.</param>
/// <param name="Error">Standard error of the ratio, from how far apart the middle half of the rounds are.</param>
/// <param name="Goal">The most that the ratio should be, or the value if there is none; null for a figure without a goal.</param>
/// <param name="IsMet">Whether it is.</param>
internal sealed record BenchScaleRow(string Name, string Unit, double? Base, double Value, double? Ratio, double? Error, double? Goal, bool? IsMet);
