using System.ComponentModel.DataAnnotations;

namespace Session.Orleans.Grains.Network;

/// <summary>What the network is: its name, its secret, its size. All silos of a cluster must agree on them.</summary>
public sealed class NetworkOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Network";

    /// <summary>Most service nodes one network may have.</summary>
    public const int MaxNodes = 500;

    /// <summary>Name of the network, key of the network grain.</summary>
    [Required, MinLength(1)]
    public string Name { get; set; } = "testnet";

    /// <summary>
    /// All node keys are derived from this text and the node's index. At least 16 characters; whoever has it can act for every node.
    /// </summary>
    [Required, MinLength(16, ErrorMessage = "Network:Secret must have at least 16 characters.")]
    public string Secret { get; set; } = "";

    /// <summary>Number of service nodes, 1..500. Real clients want at least 24.</summary>
    [Range(1, MaxNodes, ErrorMessage = "Network:Nodes must be between 1 and 500.")]
    public int Nodes { get; set; } = 32;

    /// <summary>Ideal number of members of a swarm, 3..50; the real network has 7.</summary>
    [Range(3, 50, ErrorMessage = "Network:SwarmSize must be between 3 and 50.")]
    public int SwarmSize { get; set; } = 7;

    /// <summary>Time from block to block, 100 ms to 1 h. The real network has 2 minutes.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00", ErrorMessage = "Network:BlockTime must be between 100 ms and 1 h.")]
    public TimeSpan BlockTime { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How many times faster than by block count nodes live, 1..1000. With blocks of 10 s and a speed of 1 an unreachable node is
    /// decommissioned after about six minutes, where the real network takes more than an hour.
    /// </summary>
    [Range(1, 1000, ErrorMessage = "Network:ChainSpeed must be between 1 and 1000.")]
    public int ChainSpeed { get; set; } = 1;

    /// <summary>Hard fork of the chain; storage servers need at least 19.</summary>
    [Range(19, 255, ErrorMessage = "Network:HardForkMajor must be between 19 and 255.")]
    public int HardForkMajor { get; set; } = 19;

    /// <summary>Service node revision of the chain; nodes are not ready below 19.3, and 19.4 allows several expiries in one request.</summary>
    [Range(0, 255, ErrorMessage = "Network:HardForkRevision must be between 0 and 255.")]
    public int HardForkRevision { get; set; } = 4;

    /// <summary>
    /// Lets swarm members that missed messages stay without them, as in the real network (network.md, 5). By default they catch up at the
    /// next block at which they can hear their swarm.
    /// </summary>
    public bool ReplicaDrift { get; set; }

    /// <summary>IPv4 address that the nodes advertise to clients.</summary>
    [Required, RegularExpression(@"^(\d{1,3}\.){3}\d{1,3}$", ErrorMessage = "Network:PublicIp must be a dotted IPv4 address.")]
    public string PublicIp { get; set; } = "127.0.0.1";

    /// <summary>Node i advertises this port plus i for HTTPS, and 500 more for OxenMQ and QUIC.</summary>
    [Range(1, 65535 - (2 * MaxNodes), ErrorMessage = "Network:NodePortBase must be between 1 and 64535.")]
    public int NodePortBase { get; set; } = 22100;
}
