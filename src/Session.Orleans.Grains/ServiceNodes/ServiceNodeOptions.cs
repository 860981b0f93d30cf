namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>How service nodes are run.</summary>
public sealed class ServiceNodeOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "ServiceNodes";

    /// <summary>
    /// Calls a node whose grain is active on the caller's own silo without a message. Off, every hop is a message through the scheduler,
    /// also on one silo: several times the CPU of the layer's cryptography, for those who want to see what spread nodes cost.
    /// </summary>
    public bool DirectLocalCalls { get; set; } = true;
}
