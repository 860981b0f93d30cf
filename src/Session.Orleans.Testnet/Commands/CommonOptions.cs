using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Session.Orleans.Load;

namespace Session.Orleans.Testnet.Commands;

/// <summary>Options that several commands share.</summary>
internal static class CommonOptions
{
    private static readonly TimeSpan CompletionTimeout = TimeSpan.FromSeconds(1);

    private const int MostNodes = 500;

    private delegate bool Parse<T>(string text, out T value);

    /// <summary><c>--data</c>: where a network keeps its state and describes itself.</summary>
    public static Option<string> Data() => new("--data")
    {
        Description = "Folder of the network: its store, its secret, its certificate and testnet.json",
        HelpName = "DIR",
        DefaultValueFactory = _ => "./testnet-data",
    };

    /// <summary><c>--output</c>: for people or for scripts.</summary>
    public static Option<OutputFormat> Output() => new("--output")
    {
        Description = "How to print the result",
        HelpName = "table|json",
        DefaultValueFactory = _ => OutputFormat.Table,
    };

    /// <summary>An option with a duration.</summary>
    public static Option<TimeSpan?> Duration(string name, string description, bool signed = false) =>
        Quantity<TimeSpan>(name, description, "DURATION", Quantities.DurationForm, (text, out value) => Quantities.TryParseDuration(text, out value, signed));

    /// <summary>An option with a share of all requests.</summary>
    public static Option<double?> Share(string name, string description) =>
        Quantity<double>(name, description, "PERCENT", Quantities.ShareForm, Quantities.TryParseShare);

    /// <summary>An option with a number of bytes per second.</summary>
    public static Option<long?> Bandwidth(string name, string description) =>
        Quantity<long>(name, description, "RATE", Quantities.BandwidthForm, Quantities.TryParseBandwidth);

    /// <summary>An option for nodes, whose indices may also be given as ranges: <c>5-7</c>.</summary>
    public static Option<string[]> Nodes(string name, string description)
    {
        var option = List(name, description, "NODE,...");
        option.CustomParser = argument => [.. Split(argument).SelectMany(ExpandRange)];
        return option;
    }

    /// <summary>Arguments for nodes, in the forms of <see cref="Nodes"/>.</summary>
    public static Argument<string[]> NodeArguments(string name, string description, ArgumentArity arity) => new(name)
    {
        Description = description,
        Arity = arity,
        CustomParser = argument => [.. Split(argument).SelectMany(ExpandRange)],
    };

    /// <summary>An option whose values may be repeated or joined with commas.</summary>
    public static Option<string[]> List(string name, string description, string helpName) => new(name)
    {
        Description = description,
        HelpName = helpName,
        DefaultValueFactory = _ => [],
        CustomParser = argument => [.. Split(argument)],
    };

    /// <summary>Offers the indices of the network's nodes, from its description: no request is made.</summary>
    public static IEnumerable<string> NodeIndices(ParseResult options, Option<string> data) =>
        Offer(() => TestnetDescription.Load(options.GetValue(data)!).Nodes.Select(node => $"{node.Index}"));

    /// <summary>Offers the ids of the network's swarms, from its description.</summary>
    public static IEnumerable<string> SwarmIds(ParseResult options, Option<string> data) =>
        Offer(() => TestnetDescription.Load(options.GetValue(data)!).Swarms.Select(swarm => swarm.Id));

    /// <summary>Offers ids and labels of the faults in force.</summary>
    public static IEnumerable<string> FaultNames(ParseResult options, Option<string> data) => Offer(() =>
    {
        using var admin = AdminClient.Open(options.GetValue(data)!, CompletionTimeout);
        // Completions are asked for by a process that does nothing else.
        var faults = admin.GetFaultsAsync(CancellationToken.None).GetAwaiter().GetResult().Value;
        return faults.Select(fault => fault.Id).Concat(faults.Select(fault => fault.Label).OfType<string>().Distinct());
    });

    /// <summary>Offers the tokens of the community server's rooms.</summary>
    public static IEnumerable<string> Rooms(ParseResult options, Option<string> data) => Offer(() =>
    {
        using var admin = AdminClient.Open(options.GetValue(data)!, CompletionTimeout);
        return admin.GetCommunitiesAsync(CancellationToken.None).GetAwaiter().GetResult().Value.Rooms.Select(room => room.Token);
    });

    private static IEnumerable<string> Split(ArgumentResult argument) =>
        argument.Tokens.SelectMany(token => token.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    private static IEnumerable<string> ExpandRange(string node) =>
        node.Split('-') is [var first, var last]
            && int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var from)
            && int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var to) && from <= to && to - from < MostNodes
            ? Enumerable.Range(from, to - from + 1).Select(index => index.ToString(CultureInfo.InvariantCulture)) : [node];

    // A shell asks while somebody types: without a network there is nothing to offer, and nothing to say.
    private static string[] Offer(Func<IEnumerable<string>> values)
    {
        try
        {
            return [.. values()];
        }
        catch (CommandException)
        {
            return [];
        }
    }

    private static Option<T?> Quantity<T>(string name, string description, string helpName, string form, Parse<T> parse)
        where T : struct => new(name)
    {
        Description = description,
        HelpName = helpName,
        CustomParser = argument =>
        {
            if (parse(argument.Tokens[0].Value, out var value))
                return value;
            argument.AddError($"{name} takes {form}, not '{argument.Tokens[0].Value}'.");
            return null;
        },
    };
}

/// <summary>How a result is printed.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Table,

    /// <summary>For scripts.</summary>
    Json,
}
