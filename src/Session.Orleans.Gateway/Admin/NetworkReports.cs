using System.Text.Json.Serialization;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Admin;

/// <summary>A service node, as the admin API shows it.</summary>
/// <param name="Index">Number of the node.</param>
/// <param name="Ed25519">Ed25519 public key in hex: the node's address in onion requests.</param>
/// <param name="X25519">X25519 public key in hex: encrypts onion layers.</param>
/// <param name="State">awaiting, active or decommissioned.</param>
/// <param name="Swarm">Swarm id in hex; null while it is in none.</param>
/// <param name="Ip">Advertised IPv4 address.</param>
/// <param name="HttpsPort">Advertised HTTPS port.</param>
/// <param name="RegistrationHeight">Height at which it was registered.</param>
/// <param name="StateHeight">Height at which its state last changed.</param>
/// <param name="SyncedAt">Height of the last block at which it had caught up with its swarm.</param>
/// <param name="DowntimeCredit">Blocks that it may be down before it is deregistered.</param>
/// <param name="DecommissionCount">How often it was decommissioned.</param>
/// <param name="LastProofHeight">Height of its last uptime proof; null before the first.</param>
/// <param name="FailingSince">Height at which peers began to find it failing; null if none does.</param>
/// <param name="RequestedUnlockHeight">Height at which it leaves on request; 0 if nobody asked.</param>
/// <param name="Faults">Ids of its own faults and of those on links from it.</param>
/// <param name="Labels">The operator's words for it.</param>
public sealed record NodeReport(
    int Index, string Ed25519, string X25519, string State, string? Swarm, string Ip, int HttpsPort, long RegistrationHeight, long StateHeight,
    long SyncedAt, long DowntimeCredit, int DecommissionCount, long? LastProofHeight, long? FailingSince, long RequestedUnlockHeight,
    IReadOnlyList<string> Faults, IReadOnlyList<string> Labels)
{
    /// <summary>The node as it is in <paramref name="view"/>.</summary>
    public static NodeReport Of(ServiceNode node, NetworkView view) => new(
        node.Index, node.PublicKey.ToString(), node.Keys.X25519.PublicKey.ToString(), AdminText.Of(node.Record.State),
        node.IsInSwarm ? node.SwarmId.ToString() : null, node.IpAddress, node.HttpsPort, node.Record.RegistrationHeight,
        node.Record.StateHeight, view.SyncedAt(node.Index), view.LifeOf(node).EarnedDowntimeBlocks, view.LifeOf(node).DecommissionCount,
        view.LifeOf(node).LastProofHeight, view.LifeOf(node).FailingSince, view.LifeOf(node).RequestedUnlockHeight,
        [.. view.State.Faults.Where(fault => fault.Nodes.Contains(node.Index)).Select(fault => fault.Id)],
        [.. view.LabelsOf(node.Index)]);
}

/// <summary>A swarm, as the admin API shows it.</summary>
/// <param name="Id">Swarm id in hex.</param>
/// <param name="Members">Indices of its members.</param>
public sealed record SwarmReport(string Id, IReadOnlyList<int> Members)
{
    /// <summary>The swarm with its members.</summary>
    public static SwarmReport Of(Swarm swarm) => new(swarm.Id.ToString(), [.. swarm.Members.Select(member => member.Index).Order()]);
}

/// <summary>A fault in force, as the admin API shows it.</summary>
/// <param name="Id">Name by which it is removed.</param>
/// <param name="Kind">What goes wrong: offline, refuse, latency, loss, bandwidth, corruptLayer, corruptReply, wrongSignature, staleData, clockSkew or slowStorage.</param>
/// <param name="Nodes">Indices of the nodes it is at, or from which the links go out.</param>
/// <param name="Peers">Indices of the nodes to which the links go; empty if the fault is the nodes' own.</param>
/// <param name="Probability">Share of the requests it meets.</param>
/// <param name="DelayMs">Delay or deviation, ms.</param>
/// <param name="SpreadMs">How much delays differ, ms.</param>
/// <param name="Distribution">fixed, uniform or normal.</param>
/// <param name="BytesPerSecond">Limit of a bandwidth fault.</param>
/// <param name="Since">When it began.</param>
/// <param name="Until">When it ends by itself; null if it stays.</param>
/// <param name="Label">The operator's word for it.</param>
public sealed record FaultReport(
    string Id, string Kind, IReadOnlyList<int> Nodes, IReadOnlyList<int> Peers, double Probability, double DelayMs, double SpreadMs,
    string Distribution, long BytesPerSecond, DateTimeOffset Since, DateTimeOffset? Until, string? Label)
{
    internal static FaultReport Of(Fault fault) => new(
        fault.Id, AdminText.Of(fault.Kind), fault.Nodes, fault.Peers, fault.Probability, fault.Delay.TotalMilliseconds,
        fault.Spread.TotalMilliseconds, AdminText.Of(fault.Distribution), fault.BytesPerSecond, fault.Since, fault.Until, fault.Label);
}

/// <summary>An order for a fault.</summary>
/// <param name="Kind">What shall go wrong: offline, refuse, latency, loss, bandwidth, corruptLayer, corruptReply, wrongSignature, staleData, clockSkew or slowStorage.</param>
/// <param name="Nodes">Nodes, each by index, by the first 8 or more hex digits of its Ed25519 key or by a label, standing for all that have it now.</param>
/// <param name="Swarms">Swarms by id, standing for the members they have now.</param>
/// <param name="To">Nodes to which links go, named in the same way; leave out for the nodes' own faults.</param>
/// <param name="ToSwarms">Swarms to which links go.</param>
/// <param name="Probability">Share of the requests it meets, above 0 and up to 1.</param>
/// <param name="DelayMs">Delay, or for clockSkew the deviation, ms.</param>
/// <param name="SpreadMs">How much delays differ, ms.</param>
/// <param name="Distribution">fixed, uniform or normal.</param>
/// <param name="BytesPerSecond">Limit of a bandwidth fault.</param>
/// <param name="ForSeconds">After how many seconds it ends; leave out to keep it until it is removed.</param>
/// <param name="Label">A word by which several faults can be removed together.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)] // a misspelt property would be a fault that does less than it should
public sealed record FaultOrder(
    string Kind, IReadOnlyList<string>? Nodes = null, IReadOnlyList<string>? Swarms = null, IReadOnlyList<string>? To = null,
    IReadOnlyList<string>? ToSwarms = null, double Probability = 1, double DelayMs = 0, double SpreadMs = 0, string? Distribution = null,
    long BytesPerSecond = 0, double? ForSeconds = null, string? Label = null);

/// <summary>The chain, as the admin API shows it.</summary>
/// <param name="Height">Height of the top block.</param>
/// <param name="BlockHash">Hash of the top block, in hex.</param>
/// <param name="BlockSeconds">Seconds from block to block.</param>
/// <param name="IsPaused">True while no block comes by itself.</param>
/// <param name="Minted">Coins ever made, in atomic units; always the sum of the three below.</param>
/// <param name="Balances">Coins free to be spent.</param>
/// <param name="Stakes">Coins in the stakes of registered nodes.</param>
/// <param name="Locked">Coins in the stakes of deregistered nodes.</param>
public sealed record ChainReport(
    long Height, string BlockHash, double BlockSeconds, bool IsPaused, long Minted, long Balances, long Stakes, long Locked);

/// <summary>An order for new nodes.</summary>
/// <param name="Nodes">Indices; leave out for the lowest free ones.</param>
/// <param name="Count">How many, if <paramref name="Nodes"/> is left out.</param>
public sealed record RegistrationOrder(IReadOnlyList<int>? Nodes = null, int Count = 1);

/// <summary>An order for a label.</summary>
/// <param name="Nodes">Nodes, each by index, by the first 8 or more hex digits of its Ed25519 key or by a label.</param>
public sealed record LabelOrder(IReadOnlyList<string> Nodes);

/// <summary>A label after an order.</summary>
/// <param name="Label">The label.</param>
/// <param name="Nodes">Indices of all nodes that have it now.</param>
public sealed record LabelReport(string Label, IReadOnlyList<int> Nodes);

/// <summary>What came of an order to nodes.</summary>
/// <param name="Height">Height of the block that carried it out.</param>
/// <param name="Nodes">The nodes afterwards.</param>
public sealed record NodeOrderReport(long Height, IReadOnlyList<NodeOrderEffect> Nodes);

/// <summary>A node after an order.</summary>
/// <param name="Index">Number of the node.</param>
/// <param name="State">awaiting, active or decommissioned; null if it is no longer registered.</param>
public sealed record NodeOrderEffect(int Index, string? State);

/// <summary>How the admin API spells enumerations.</summary>
internal static class AdminText
{
    /// <summary>The name in camel case.</summary>
    public static string Of<T>(T value)
        where T : struct, Enum
    {
        var name = value.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }

    /// <summary>The value with this name in camel case or any other.</summary>
    public static bool TryParse<T>(string text, out T value)
        where T : struct, Enum =>
        Enum.TryParse(text.Replace("-", "", StringComparison.Ordinal), ignoreCase: true, out value) && Enum.IsDefined(value)
            && !char.IsAsciiDigit(text[0]);

    /// <summary>All names.</summary>
    public static string All<T>()
        where T : struct, Enum => string.Join(", ", Enum.GetValues<T>().Select(Of));
}
