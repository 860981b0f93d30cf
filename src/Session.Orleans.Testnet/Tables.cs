using System.Globalization;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Load;
using Spectre.Console;

namespace Session.Orleans.Testnet;

/// <summary>How results look to people.</summary>
internal static class Tables
{
    private const int FileWidth = 120; // a file has no width, and 80 would cut columns that nothing limits

    private const int ListWidth = 24;

    /// <summary>An empty table with these columns; those whose title begins with <c>&gt;</c> are aligned to the right, and those with <c>=</c> keep their lines.</summary>
    public static Table Create(params ReadOnlySpan<string> titles)
    {
        var table = new Table { Border = TableBorder.Rounded };
        foreach (var title in titles)
        {
            table.AddColumn(title switch
            {
                ['>', ..] => new TableColumn(title[1..]).RightAligned().NoWrap(),
                ['=', ..] => new TableColumn(title[1..]).NoWrap(),
                _ => new TableColumn(title),
            });
        }

        return table;
    }

    /// <summary>Adds a row of plain text.</summary>
    public static void AddPlainRow(this Table table, params IEnumerable<string> cells) => table.AddRow([.. cells.Select(cell => new Text(cell))]);

    /// <summary>Prints it as wide as the terminal.</summary>
    public static void Print(Table table)
    {
        if (Console.IsOutputRedirected)
            AnsiConsole.Profile.Width = FileWidth;
        AnsiConsole.Write(table);
    }

    /// <summary>Numbers in order, neighbours drawn together: <c>0-3,7</c>.</summary>
    public static string Ranges(IEnumerable<int> numbers)
    {
        var ranges = new List<(int First, int Last)>();
        foreach (var number in numbers.Order())
        {
            if (ranges.Count > 0 && ranges[^1].Last == number - 1)
                ranges[^1] = (ranges[^1].First, number);
            else
                ranges.Add((number, number));
        }

        return string.Join(',', ranges.Select(range => range.Last switch
        {
            var last when last == range.First => Text(last),
            var last when last == range.First + 1 => $"{Text(range.First)},{Text(last)}",
            var last => $"{Text(range.First)}-{Text(last)}",
        }));

        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>What goes wrong, with its figures.</summary>
    public static string Describe(FaultReport fault)
    {
        var delay = Quantities.Format(TimeSpan.FromMilliseconds(fault.DelayMs));
        var spread = fault.SpreadMs > 0 ? $" ±{Quantities.Format(TimeSpan.FromMilliseconds(fault.SpreadMs))} {fault.Distribution}" : "";
        var what = fault.Kind switch
        {
            "latency" => $"latency {delay}{spread}",
            "slowStorage" => $"slow storage {delay}{spread}",
            "clockSkew" => $"clock {(fault.DelayMs > 0 ? "+" : "")}{delay}",
            "bandwidth" => $"bandwidth {Quantities.FormatBandwidth(fault.BytesPerSecond)}",
            "loss" => $"loss {Quantities.FormatShare(fault.Probability)}",
            "corruptLayer" => "corrupt layer",
            "corruptReply" => "corrupt reply",
            "wrongSignature" => "wrong signature",
            "staleData" => "stale data",
            var other => other,
        };
        return fault.Probability < 1 && fault.Kind is not "loss" ? $"{what}, {Quantities.FormatShare(fault.Probability)}" : what;
    }

    /// <summary>Where it goes wrong: nodes, or links between them.</summary>
    public static string DescribePlace(FaultReport fault) =>
        fault.Peers.Count == 0 ? RangesInLines(fault.Nodes) : Lines($"{Ranges(fault.Nodes)} →", Ranges(fault.Peers));

    /// <summary>The same as <see cref="Ranges"/>, in lines of a length that leaves room for other columns.</summary>
    public static string RangesInLines(IEnumerable<int> numbers) => Lines(Ranges(numbers));

    // Tables break lines at spaces alone, and would cut long lists in the middle of a number.
    private static string Lines(params IEnumerable<string> lists)
    {
        var lines = new List<string> { "" };
        foreach (var list in lists)
        {
            var isFirst = true;
            foreach (var part in list.Split(',').Select((part, i) => i == 0 ? part : "," + part))
            {
                var joined = isFirst && lines[^1].Length > 0 ? $"{lines[^1]} {part}" : lines[^1] + part;
                if (joined.Length <= ListWidth || lines[^1].Length == 0)
                    lines[^1] = joined;
                else if (part[0] == ',')
                {
                    lines[^1] += ",";
                    lines.Add(part[1..]);
                }
                else
                {
                    lines.Add(part);
                }

                isFirst = false;
            }
        }

        return string.Join('\n', lines);
    }
}
