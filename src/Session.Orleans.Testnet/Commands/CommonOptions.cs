using System.CommandLine;

namespace Session.Orleans.Testnet.Commands;

/// <summary>Options that several commands share.</summary>
internal static class CommonOptions
{
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
}

/// <summary>How a result is printed.</summary>
internal enum OutputFormat
{
    /// <summary>For people.</summary>
    Table,

    /// <summary>For scripts.</summary>
    Json,
}
