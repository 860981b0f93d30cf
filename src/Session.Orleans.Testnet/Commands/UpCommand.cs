using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.ConsolePage.Hosting;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Gateway.Communities;
using Session.Orleans.Gateway.Files;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains.Network;
using Session.Orleans.Grains.Placement;
using Session.Orleans.Load.Network;
using Session.Orleans.Silo;
using Session.Orleans.Testnet.Cluster;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet up</c>: runs a whole network in this process until it is told to stop.</summary>
internal static class UpCommand
{
    private const string SecretFileName = "network.secret";

    private static readonly Option<int> Nodes = new("--nodes") { Description = "Number of service nodes, 1..500; real clients want at least 24", DefaultValueFactory = _ => 32 };
    private static readonly Option<int?> MaxNodes = new("--max-nodes") { Description = "Ports to open for nodes that are registered later; as many as --nodes by default", HelpName = "N" };
    private static readonly Option<int> SwarmSize = new("--swarm-size") { Description = "Ideal number of members of a swarm, 3..50", DefaultValueFactory = _ => 7 };
    private static readonly Option<double> BlockTime = new("--block-time") { Description = "Seconds from block to block", DefaultValueFactory = _ => 10 };
    private static readonly Option<int> ChainSpeed = new("--chain-speed") { Description = "How many times faster nodes live: divides the blocks until they are decommissioned, deregistered or gone, 1..1000", DefaultValueFactory = _ => 1 };
    private static readonly Option<bool> ReplicaDrift = new("--replica-drift") { Description = "Let swarm members that missed messages stay without them, as in the real network" };
    private static readonly Option<string> HardFork = new("--hard-fork") { Description = "Hard fork and revision of the chain; nodes serve from 19.3", DefaultValueFactory = _ => "19.4" };
    private static readonly Option<int> NodePortBase = new("--node-port-base") { Description = "Node i listens at this port plus i", DefaultValueFactory = _ => 22100 };
    private static readonly Option<int> SeedPort = new("--seed-port") { Description = "Port of the seed node and of all nodes by path", DefaultValueFactory = _ => 22000 };
    private static readonly Option<int> AdminPort = new("--admin-port") { Description = "Port of the admin API and the health checks", DefaultValueFactory = _ => 22001 };
    private static readonly Option<int> CommunityPort = new("--community-port") { Description = "Port of the community server, http and https", DefaultValueFactory = _ => 22003 };
    private static readonly Option<bool> NoCommunities = new("--no-communities") { Description = "Do not listen for communities" };
    private static readonly Option<string[]> Rooms = CommonOptions.List("--room", "Rooms to make in the community server if they are missing", "TOKEN,...");
    private static readonly Option<int> FilePort = new("--file-port") { Description = "Port of the file server, HTTP and HTTPS; 0 for none", DefaultValueFactory = _ => 22002 };
    private static readonly Option<bool> NoFiles = new("--no-files") { Description = "Run no file server" };
    private static readonly Option<int> SiloPort = new("--silo-port") { Description = "Port for other silos of the cluster; with --silos the first of 80", DefaultValueFactory = _ => 22010 };
    private static readonly Option<int> Silos = new("--silos") { Description = "Run the network as this many silo processes and --gateways in front of them, and keep them alive; 0 is one process for all", HelpName = "N" };
    private static readonly Option<int> Gateways = new("--gateways") { Description = "With --silos: processes that share the client ports", HelpName = "N", DefaultValueFactory = _ => 1 };
    private static readonly Option<bool> OrleansDashboard = new("--orleans-dashboard") { Description = "Have Orleans' own dashboard under the console page; every call of a grain then costs more" };
    private static readonly Option<bool> NoOmq = new("--no-omq") { Description = "Do not listen for OxenMQ, which is at 500 above each node's port" };
    private static readonly Option<string> Bind = new("--bind") { Description = "IP address to listen on; 0.0.0.0 for all", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<string> PublicIp = new("--public-ip") { Description = "IPv4 address that the nodes advertise to clients", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<bool> Ephemeral = new("--ephemeral") { Description = "Keep messages in memory only; the next start is a new network" };
    private static readonly Option<string?> NetworkSecret = new("--network-secret") { Description = "Text from which all node keys are derived, at least 16 characters; made at the first start and kept in --data by default", HelpName = "TEXT" };
    private static readonly Option<string?> Redis = new("--redis") { Description = "Use this Redis or Valkey instead of the embedded store", HelpName = "CONNECTION" };
    private static readonly Option<int?> StorePort = new("--store-port") { Description = "The embedded store listens there on 127.0.0.1, for redis-cli and other tools; 0 for any free port. By default only this network's processes can get to it", HelpName = "PORT" };
    private static readonly Option<string?> Certificate = new("--cert") { Description = "Certificate chain in PEM for the HTTPS ports; self-signed by default", HelpName = "FILE" };
    private static readonly Option<string?> Key = new("--key") { Description = "Private key in PEM for --cert", HelpName = "FILE" };
    private static readonly Option<LogLevel> Level = new("--log-level") { Description = "Least severe log line to print on standard error", DefaultValueFactory = _ => LogLevel.Warning };

    public static Command Create()
    {
        var command = new Command("up", "Starts a network and runs it until Ctrl-C")
        {
            Nodes, MaxNodes, SwarmSize, BlockTime, ChainSpeed, ReplicaDrift, HardFork, NodePortBase, SeedPort, AdminPort, FilePort, NoFiles, CommunityPort,
            NoCommunities, Rooms, SiloPort, Silos, Gateways, OrleansDashboard, NoOmq, Bind, PublicIp,
            Data, Ephemeral, NetworkSecret, Redis, StorePort, Certificate, Key, Level,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken) => HostErrors.TranslateAsync(async () =>
    {
        OutOfMemory.EndsProcess();
        var directory = Path.GetFullPath(options.GetValue(Data)!);
        Directory.CreateDirectory(directory);
        using var log = ConsoleLog.Create(options.GetValue(Level));
        await using var store = OpenStore(options, directory, log);
        _ = EndOnWriteFailureAsync(store, directory);
        try
        {
            return options.GetValue(Silos) == 0
                ? await RunOneAsync(options, directory, store, cancellationToken)
                : await RunManyAsync(options, directory, store, cancellationToken);
        }
        finally
        {
            File.Delete(Path.Combine(directory, TestnetDescription.FileName));
        }
    });

    /// <summary>
    /// Ends the process on the spot when the embedded store can't write. An orderly end would wait for the store with everything it has to say, and
    /// nothing that is in memory counts any more.
    /// </summary>
    private static async Task EndOnWriteFailureAsync(EmbeddedStore.EmbeddedStore? store, string directory)
    {
        if (store is null)
            return;
        var failure = await store.Failed;
        await Console.Error.WriteLineAsync(
            $"session-testnet: The embedded store can't write: {failure.Message} What was acknowledged is kept; make room, and start again.");
        File.Delete(Path.Combine(directory, TestnetDescription.FileName));
        Environment.Exit(ExitCodes.Failed);
    }

    private static async Task<int> RunOneAsync(
        ParseResult options, string directory, EmbeddedStore.EmbeddedStore? store, CancellationToken cancellationToken)
    {
        await using var app = await SiloHost.BuildAsync(ToSettings(options, directory), store: store?.Configure());
        // Looked at before anything starts: a failing start is logged by all who take part in it, and the reason drowns.
        app.Services.GetRequiredService<IStartupValidator>().Validate();
        RequireFreePorts(options);
        await HostErrors.StartAsync(app, cancellationToken);
        await app.Services.GetRequiredService<CommunitySetup>().Done;
        var view = app.Services.GetRequiredService<NetworkViewSource>().Current!;
        var description = Describe(
            options, directory, app.Services.GetRequiredService<NetworkKeys>(), [.. view.Nodes.Select(node => NodeReport.Of(node, view))],
            [.. view.Swarms.Select(SwarmReport.Of)]);
        description.Save(directory);
        Announce(description, directory);
        await app.WaitForShutdownAsync(cancellationToken);
        return ExitCodes.Ok;
    }

    private static async Task<int> RunManyAsync(
        ParseResult options, string directory, EmbeddedStore.EmbeddedStore? store, CancellationToken cancellationToken)
    {
        var (silos, gateways) = (options.GetValue(Silos), options.GetValue(Gateways));
        if (silos is < 1 or > ClusterPlan.MaxSilos)
            throw new ValidationException($"--silos must be between 1 and {ClusterPlan.MaxSilos}.");
        if (gateways is < 1 or > ClusterPlan.MaxGateways)
            throw new ValidationException($"--gateways must be between 1 and {ClusterPlan.MaxGateways}.");
        var settings = ToSettings(options, directory);
        settings["Silo:Redis"] ??= store!.ConnectionString;
        RequireFreePorts(options);
        GatewaySecrets.Prepare(new() { DataDirectory = directory, CertificateFile = options.GetValue(Certificate), KeyFile = options.GetValue(Key) });

        await using var supervisor = new Supervisor(new(settings, silos, gateways, options.GetValue(SiloPort)), Console.Error.WriteLine);
        await supervisor.StartAsync(cancellationToken);
        await using var door = await SupervisorDoor.OpenAsync(supervisor, directory);
        var keys = new NetworkKeys(Options.Create(new NetworkOptions { Secret = settings["Network:Secret"]! }));
        var description = Describe(options, directory, keys, [], []);
        using (var admin = AdminClient.Open(description))
        {
            var nodes = await admin.GetNodesAsync(cancellationToken);
            var swarms = await admin.GetSwarmsAsync(cancellationToken);
            description = Describe(options, directory, keys, nodes.Value, swarms.Value);
        }

        var saving = new Lock();
        void Save()
        {
            lock (saving)
            {
                description = description with
                {
                    Processes = [.. supervisor.Members.Select(member => new ProcessDescription(
                        member.Name, member.Role is SiloRole.Gateway ? "gateway" : "silo", member.ProcessId,
                        string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{member.HealthPort}")))],
                };
                description.Save(directory);
            }
        }

        supervisor.Changed += Save;
        Save();
        Announce(description, directory);
        await StopOrder.WaitAsync(cancellationToken);
        supervisor.Changed -= Save;
        return ExitCodes.Ok;
    }

    private static void RequireFreePorts(ParseResult options)
    {
        var address = IPAddress.Parse(options.GetValue(Bind)!);
        if (options.GetValue(Silos) is var silos and > 0)
        {
            foreach (var slot in ClusterPlan.Slots(SiloRole.Silo).Take(silos).Concat(ClusterPlan.Slots(SiloRole.Gateway).Take(options.GetValue(Gateways))))
            {
                Check(IPAddress.Loopback, options.GetValue(SiloPort) + slot, SiloPort.Name + $" + {slot}");
                Check(address, options.GetValue(SiloPort) + ClusterPlan.HealthOffset + slot, SiloPort.Name + $" + {ClusterPlan.HealthOffset + slot}");
            }
        }
        else
        {
            Check(IPAddress.Loopback, options.GetValue(SiloPort), SiloPort.Name);
        }

        Check(address, options.GetValue(SeedPort), SeedPort.Name);
        Check(address, options.GetValue(AdminPort), AdminPort.Name);
        if (!options.GetValue(NoCommunities))
            Check(address, options.GetValue(CommunityPort), CommunityPort.Name);
        if (HasFiles(options))
            Check(address, options.GetValue(FilePort), FilePort.Name);
        for (var index = 0; index < NodePorts(options); index++)
        {
            Check(address, options.GetValue(NodePortBase) + index, NodePortBase.Name);
            if (!options.GetValue(NoOmq))
                Check(address, options.GetValue(NodePortBase) + NetworkOptions.MaxNodes + index, NodePortBase.Name + " + 500, for OxenMQ");
        }

        static void Check(IPAddress address, int port, string option)
        {
            using var probe = new TcpListener(address, port);
            try
            {
                probe.Start();
            }
            catch (SocketException exception)
            {
                throw new CommandException(ExitCodes.Failed, $"Can't listen at {address}:{port} ({option}): {exception.Message}");
            }
        }
    }

    private static bool HasFiles(ParseResult options) => !options.GetValue(NoFiles) && options.GetValue(FilePort) != 0;

    private static int NodePorts(ParseResult options)
    {
        var nodes = options.GetValue(Nodes);
        return options.GetValue(MaxNodes) is not { } most ? nodes
            : most >= nodes && most <= NetworkOptions.MaxNodes ? most
            : throw new ValidationException($"--max-nodes must be between --nodes and {NetworkOptions.MaxNodes}.");
    }

    private static EmbeddedStore.EmbeddedStore? OpenStore(ParseResult options, string directory, ILoggerFactory log) =>
        options.GetValue(Redis) is not null
            ? options.GetValue(StorePort) is null ? null : throw new ValidationException("--store-port is for the embedded store; leave it out with --redis.")
            : EmbeddedStore.EmbeddedStore.Start(
                new()
                {
                    Directory = options.GetValue(Ephemeral) ? null : Path.Combine(directory, "store"),
                    Port = options.GetValue(StorePort) ?? (options.GetValue(Silos) == 0 ? null : 0), // other processes come through a socket
                },
                log);

    private static Dictionary<string, string?> ToSettings(ParseResult options, string directory)
    {
        var hardFork = options.GetValue(HardFork)!.Split('.');
        if (hardFork.Length != 2)
            throw new ValidationException("--hard-fork must be two numbers, for example 19.4.");
        var level = options.GetValue(Level);
        var settings = new Dictionary<string, string?>
        {
            ["Network:Nodes"] = Text(options.GetValue(Nodes)),
            ["Network:SwarmSize"] = Text(options.GetValue(SwarmSize)),
            ["Network:BlockTime"] = TimeSpan.FromSeconds(options.GetValue(BlockTime)).ToString("c", CultureInfo.InvariantCulture),
            ["Network:ChainSpeed"] = Text(options.GetValue(ChainSpeed)),
            ["Network:ReplicaDrift"] = options.GetValue(ReplicaDrift) ? "true" : "false",
            ["Network:HardForkMajor"] = hardFork[0],
            ["Network:HardForkRevision"] = hardFork[1],
            ["Network:PublicIp"] = options.GetValue(PublicIp),
            ["Network:NodePortBase"] = Text(options.GetValue(NodePortBase)),
            ["Network:Secret"] = FindSecret(options, directory),
            ["Gateway:Bind"] = options.GetValue(Bind),
            ["Gateway:SeedPort"] = Text(options.GetValue(SeedPort)),
            ["Gateway:AdminPort"] = Text(options.GetValue(AdminPort)),
            ["Gateway:CommunityPort"] = options.GetValue(NoCommunities) ? null : Text(options.GetValue(CommunityPort)),
            ["Gateway:FilePort"] = Text(options.GetValue(FilePort)),
            ["Files:Enabled"] = HasFiles(options).ToString(),
            ["Gateway:NodePortBase"] = Text(options.GetValue(NodePortBase)),
            ["Gateway:NodePorts"] = Text(NodePorts(options)),
            ["Gateway:OmqEnabled"] = (!options.GetValue(NoOmq)).ToString(),
            ["Console:OrleansDashboard"] = options.GetValue(OrleansDashboard).ToString(),
            ["Gateway:DataDirectory"] = directory,
            ["Gateway:CertificateFile"] = options.GetValue(Certificate),
            ["Gateway:KeyFile"] = options.GetValue(Key),
            ["Silo:Port"] = Text(options.GetValue(SiloPort)),
            ["Silo:Redis"] = options.GetValue(Redis),
            ["Logging:LogLevel:Default"] = (level > LogLevel.Warning ? level : LogLevel.Warning).ToString(),
            ["Logging:LogLevel:Session.Orleans"] = level.ToString(),
            // Its first look takes the time since the machine was switched on for the length of a check, and warns of it.
            ["Logging:LogLevel:Orleans.Runtime.Watchdog"] = nameof(LogLevel.Error),
        };
        foreach (var (i, room) in options.GetValue(Rooms)!.Index())
            settings[$"Communities:Rooms:{Text(i)}"] = room;
        // Nobody else can use the embedded store, so this silo is alone. A name of its own for its cluster keeps it from waiting for the answer
        // of a silo that was killed, if it comes back at another port.
        if (options.GetValue(Redis) is null)
            settings["Silo:ClusterId"] = $"session-{Guid.NewGuid():N}";
        return settings;

        static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
    }

    private static string FindSecret(ParseResult options, string directory)
    {
        static string Generate() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        if (options.GetValue(NetworkSecret) is { } given)
            return given;
        return options.GetValue(Ephemeral) ? Generate() : SecretFile.ReadOrCreate(Path.Combine(directory, SecretFileName), Generate);
    }

    private static TestnetDescription Describe(
        ParseResult options, string directory, NetworkKeys keys, IReadOnlyList<NodeReport> nodes, IReadOnlyList<SwarmReport> swarms)
    {
        var bind = options.GetValue(Bind)!;
        var host = bind is "0.0.0.0" ? "127.0.0.1" : bind;
        var seed = $"https://{host}:{options.GetValue(SeedPort)}";
        var files = HasFiles(options) ? new FileServerKeys(keys).Pair : null;
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(options.GetValue(Certificate) ?? Path.Combine(directory, GatewayCertificate.FileName)));
        return new(
            seed,
            SeedCheck.PinOf(certificate),
            $"http://{host}:{options.GetValue(AdminPort)}",
            Path.Combine(directory, AdminToken.FileName),
            Environment.ProcessId,
            options.GetValue(Redis) is not null ? "redis" : options.GetValue(Ephemeral) ? "memory" : "embedded",
            options.GetValue(HardFork)!,
            options.GetValue(SwarmSize),
            options.GetValue(NoCommunities) ? null : $"http://{options.GetValue(PublicIp)}:{options.GetValue(CommunityPort)}",
            keys.CommunityServer.PublicKey.ToString(),
            files is null ? null : $"http://{options.GetValue(PublicIp)}:{options.GetValue(FilePort)}",
            files?.PublicKey.ToString(),
            files?.X25519.PublicKey.ToString(),
            [.. nodes.OrderBy(node => node.Index).Select(node => new NodeDescription(
                node.Index, $"https://{node.Ip}:{node.HttpsPort}", $"{seed}/snodes/{node.Ed25519}",
                options.GetValue(NoOmq) ? null : $"tcp://{node.Ip}:{node.HttpsPort + NetworkOptions.MaxNodes}",
                node.Ed25519, node.X25519, node.Swarm ?? ""))],
            [.. swarms.Select(swarm => new SwarmDescription(swarm.Id, swarm.Members))]);
    }

    private static void Announce(TestnetDescription network, string directory)
    {
        Console.WriteLine($"testnet ready: seed={network.SeedUrl} nodes={network.Nodes.Count} swarms={network.Swarms.Count} admin={network.AdminUrl}");
        var data = Path.GetRelativePath(Environment.CurrentDirectory, directory) is "testnet-data" ? "" : $" --data {directory}";
        Console.WriteLine($"""

            Try next, in another terminal:
              session-testnet demo{data}      send a message through three hops and read it at the other end
              session-testnet status{data}    height, nodes, swarms, live messages
            Console: {network.AdminUrl}{ConsoleExtensions.Path}/ shows it in a browser, and breaks it there; it asks for the token in {network.AdminTokenFile}.
            A Session client takes {network.SeedUrl} as its seed node{(network.FileServerUrl is { } files ? $" and {files} as its file server" : "")}. {Path.Combine(directory, TestnetDescription.FileName)} lists every node.
            Ctrl-C stops the network{(network.Store is "memory" ? " and forgets its messages" : "; its messages stay")}.
            """);
    }
}
