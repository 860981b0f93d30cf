using System.Globalization;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>How the page speaks of faults.</summary>
internal static class FaultText
{
    /// <summary>The kind, as <c>session-testnet faults</c> spells its option, with spaces.</summary>
    public static string Of(FaultKind kind) => kind switch
    {
        FaultKind.Offline => "offline",
        FaultKind.Refuse => "refuses connections",
        FaultKind.Latency => "latency",
        FaultKind.Loss => "loss",
        FaultKind.Bandwidth => "bandwidth",
        FaultKind.CorruptLayer => "corrupts layers",
        FaultKind.CorruptReply => "corrupts replies",
        FaultKind.WrongSignature => "wrong signatures",
        FaultKind.StaleData => "hides new messages",
        FaultKind.ClockSkew => "wrong clock",
        FaultKind.SlowStorage => "slow storage",
        _ => kind.ToString(),
    };

    /// <summary>The fault with its amount.</summary>
    public static string Of(Fault fault)
    {
        var text = Of(fault.Kind);
        if (fault.Delay != TimeSpan.Zero)
            text += " " + Figures.Duration(fault.Delay);
        if (fault.Spread != TimeSpan.Zero)
            text += " ±" + Figures.Duration(fault.Spread);
        if (fault.BytesPerSecond > 0)
            text += string.Create(CultureInfo.InvariantCulture, $" {fault.BytesPerSecond:N0} B/s");
        return fault.Probability < 1 ? text + string.Create(CultureInfo.InvariantCulture, $", {fault.Probability * 100:0.#} % of requests") : text;
    }

    /// <summary>Where the fault is: numbers of nodes, with ranges, and of links their two ends.</summary>
    public static string Where(Fault fault) =>
        fault.Peers.IsEmpty ? Ranges(fault.Nodes) : $"{Ranges(fault.Nodes)} to {Ranges(fault.Peers)}";

    private static string Ranges(IEnumerable<int> indices)
    {
        var parts = new List<(int From, int To)>();
        foreach (var index in indices.Order())
        {
            if (parts.Count > 0 && parts[^1].To == index - 1)
                parts[^1] = (parts[^1].From, index);
            else
                parts.Add((index, index));
        }

        return string.Join(", ", parts.Select(part => part.From == part.To ? $"{part.From}" : $"{part.From}–{part.To}"));
    }
}
