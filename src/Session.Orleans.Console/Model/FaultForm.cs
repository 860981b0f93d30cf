using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>What an operator fills in for a fault.</summary>
internal sealed class FaultForm
{
    /// <summary>What goes wrong.</summary>
    public FaultKind Kind { get; set; } = FaultKind.Latency;

    /// <summary>Nodes, as <see cref="FaultDesk.SplitNodes"/> reads them.</summary>
    public string Nodes { get; set; } = "";

    /// <summary>The other ends, for a fault on links; empty for the nodes' own.</summary>
    public string To { get; set; } = "";

    /// <summary>A delay in milliseconds; for a clock how far it is ahead, in milliseconds.</summary>
    public double DelayMs { get; set; } = 200;

    /// <summary>How much delays differ, in milliseconds.</summary>
    public double SpreadMs { get; set; }

    /// <summary>Kilobytes per second.</summary>
    public long KilobytesPerSecond { get; set; } = 64;

    /// <summary>Percentage of the requests it meets.</summary>
    public double Percentage { get; set; } = 100;

    /// <summary>After how many minutes it ends; null if it stays.</summary>
    public double? Minutes { get; set; }

    /// <summary>True if the kind has a time.</summary>
    public bool HasDelay => Kind is FaultKind.Latency or FaultKind.SlowStorage or FaultKind.ClockSkew;

    /// <summary>True if the kind's times can differ.</summary>
    public bool HasSpread => Kind is FaultKind.Latency or FaultKind.SlowStorage;

    /// <summary>True if the kind has a speed.</summary>
    public bool HasSpeed => Kind is FaultKind.Bandwidth;

    /// <summary>True if the kind can be on links.</summary>
    public bool HasLinks => Fault.CanBeOnLink(Kind);

    /// <summary>The order that was filled in; what the kind has not is left out.</summary>
    public FaultOrder ToOrder() => new(
        Kind.ToString(), FaultDesk.SplitNodes(Nodes), To: HasLinks && To.Length > 0 ? FaultDesk.SplitNodes(To) : null, Probability: Percentage / 100,
        DelayMs: HasDelay ? DelayMs : 0, SpreadMs: HasSpread ? SpreadMs : 0, BytesPerSecond: HasSpeed ? KilobytesPerSecond * 1000 : 0,
        ForSeconds: Minutes * 60, Label: "console");
}
