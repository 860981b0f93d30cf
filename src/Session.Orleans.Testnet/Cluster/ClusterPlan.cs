using System.Globalization;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Silo;

namespace Session.Orleans.Testnet.Cluster;

/// <summary>What the processes of a cluster on one machine have in common, and where each of them listens.</summary>
/// <param name="Settings">Options of all, by name.</param>
/// <param name="Silos">Processes with mailboxes and services to begin with.</param>
/// <param name="Gateways">Processes that take clients to begin with; they share the client ports.</param>
/// <param name="FirstPort">First of the ports that only these processes use: one for other silos and one for health checks each.</param>
internal sealed record ClusterPlan(IReadOnlyDictionary<string, string?> Settings, int Silos, int Gateways, int FirstPort)
{
    /// <summary>Most silos at once, besides the one that a rolling restart adds.</summary>
    public const int MaxSilos = 29;

    /// <summary>Most gateways at once, besides the one that a rolling restart adds.</summary>
    public const int MaxGateways = 9;

    private const int FirstGatewaySlot = MaxSilos + 1;

    /// <summary>Health ports are this far above the ports for silos.</summary>
    public const int HealthOffset = 40;

    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(20);

    /// <summary>The slots of a role: which ports its processes have, one after another.</summary>
    public static IEnumerable<int> Slots(SiloRole role) =>
        role is SiloRole.Gateway ? Enumerable.Range(FirstGatewaySlot, MaxGateways + 1) : Enumerable.Range(0, MaxSilos + 1);

    /// <summary>Name of the process in <paramref name="slot"/>: <c>silo-1</c>, <c>gateway-1</c>.</summary>
    public static string NameOf(SiloRole role, int slot) =>
        role is SiloRole.Gateway ? "gateway-" + Text(slot - FirstGatewaySlot + 1) : "silo-" + Text(slot + 1);

    /// <summary>The port at which the process in <paramref name="slot"/> listens to other silos.</summary>
    public int SiloPort(int slot) => FirstPort + slot;

    /// <summary>The process's own admin and health port.</summary>
    public int HealthPort(int slot) => FirstPort + HealthOffset + slot;

    /// <summary>Environment of the process in <paramref name="slot"/>.</summary>
    public IEnumerable<KeyValuePair<string, string>> EnvironmentOf(string name, SiloRole role, int slot)
    {
        var options = new Dictionary<string, string?>(Settings)
        {
            ["Silo:Name"] = name,
            ["Silo:Role"] = role.ToString(),
            ["Silo:Port"] = Text(SiloPort(slot)),
            // Nobody has to notice: new connections are taken by the other gateways, and clients that ask within this time leave the old ones.
            ["Silo:DrainDelay"] = TimeSpan.FromSeconds(role is SiloRole.Gateway ? 5 : 0).ToString("c", CultureInfo.InvariantCulture),
            ["Silo:ShutdownTimeout"] = ShutdownTimeout.ToString("c", CultureInfo.InvariantCulture),
            ["Logging:Format"] = "Simple",
        };
        if (role is SiloRole.Gateway)
        {
            options["Gateway:SharePorts"] = bool.TrueString;
            options["Gateway:HealthPort"] = Text(HealthPort(slot));
        }
        else
        {
            options["Gateway:AdminPort"] = Text(HealthPort(slot));
        }

        foreach (var (option, value) in options)
        {
            if (value is not null)
                yield return new(SiloHost.EnvironmentPrefix + option.Replace(":", "__", StringComparison.Ordinal), value);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
