using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Session.Orleans.Contracts;
using Session.Orleans.EmbeddedStore;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Gateway.Communities;
using Session.Orleans.Gateway.Files;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Grains.Network;
using Session.Orleans.Silo;

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
    private static readonly Option<int> SiloPort = new("--silo-port") { Description = "Port for other silos of the cluster", DefaultValueFactory = _ => 22010 };
    private static readonly Option<bool> NoOmq = new("--no-omq") { Description = "Do not listen for OxenMQ, which is at 500 above each node's port" };
    private static readonly Option<string> Bind = new("--bind") { Description = "IP address to listen on; 0.0.0.0 for all", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<string> PublicIp = new("--public-ip") { Description = "IPv4 address that the nodes advertise to clients", DefaultValueFactory = _ => "127.0.0.1" };
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<bool> Ephemeral = new("--ephemeral") { Description = "Keep messages in memory only; the next start is a new network" };
    private static readonly Option<string?> NetworkSecret = new("--network-secret") { Description = "Text from which all node keys are derived, at least 16 characters; made at the first start and kept in --data by default", HelpName = "TEXT" };
    private static readonly Option<string?> Redis = new("--redis") { Description = "Use this Redis or Valkey instead of the embedded store", HelpName = "CONNECTION" };
    private static readonly Option<string?> Certificate = new("--cert") { Description = "Certificate chain in PEM for the HTTPS ports; self-signed by default", HelpName = "FILE" };
    private static readonly Option<string?> Key = new("--key") { Description = "Private key in PEM for --cert", HelpName = "FILE" };
    private static readonly Option<LogLevel> Level = new("--log-level") { Description = "Least severe log line to print on standard error", DefaultValueFactory = _ => LogLevel.Warning };

    public static Command Create()
    {
        var command = new Command("up", "Starts a network and runs it until Ctrl-C")
        {
            Nodes, MaxNodes, SwarmSize, BlockTime, ChainSpeed, ReplicaDrift, HardFork, NodePortBase, SeedPort, AdminPort, FilePort, NoFiles, CommunityPort,
            NoCommunities, Rooms, SiloPort, NoOmq, Bind, PublicIp,
            Data, Ephemeral, NetworkSecret, Redis, Certificate, Key, Level,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var directory = Path.GetFullPath(options.GetValue(Data)!);
        try
        {
            Directory.CreateDirectory(directory);
            await using var store = OpenStore(options, directory);
            await using var app = await SiloHost.BuildAsync(ToSettings(options, directory), store: store?.Configure());
            // Looked at before anything starts: a failing start is logged by all who take part in it, and the reason drowns.
            app.Services.GetRequiredService<IStartupValidator>().Validate();
            RequireFreePorts(options);
            await StartAsync(app, cancellationToken);
            await app.Services.GetRequiredService<CommunitySetup>().Done;
            var description = Describe(app, options, directory);
            description.Save(directory);
            Announce(description, directory);
            await app.WaitForShutdownAsync(cancellationToken);
            File.Delete(Path.Combine(directory, TestnetDescription.FileName));
            return ExitCodes.Ok;
        }
        catch (Exception exception) when (exception is ValidationException or OptionsValidationException)
        {
            throw new CommandException(ExitCodes.Usage, exception.Message);
        }
        catch (AggregateException exception) when (exception.InnerExceptions.All(inner => inner is OptionsValidationException))
        {
            throw new CommandException(ExitCodes.Usage, string.Join(' ', exception.InnerExceptions.Select(inner => inner.Message)));
        }
        catch (Exception exception) when (exception is InvalidOperationException or EmbeddedStoreException or NetworkPlanException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Failed, exception.Message);
        }
    }

    /// <summary>Returns when the nodes serve.</summary>
    private static async Task StartAsync(WebApplication app, CancellationToken cancellationToken)
    {
        var views = app.Services.GetRequiredService<NetworkViewSource>();
        try
        {
            await app.StartAsync(cancellationToken);
            await views.WaitForFirstAsync(app.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
        }
        catch (OperationCanceledException) when (views.HasFailed)
        {
            await views.WaitForFirstAsync(CancellationToken.None); // throws the reason why the host gave up
        }
    }

    private static void RequireFreePorts(ParseResult options)
    {
        var address = IPAddress.Parse(options.GetValue(Bind)!);
        Check(IPAddress.Loopback, options.GetValue(SiloPort), SiloPort.Name);
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

    private static EmbeddedStore.EmbeddedStore? OpenStore(ParseResult options, string directory) =>
        options.GetValue(Redis) is not null ? null
            : EmbeddedStore.EmbeddedStore.Start(new()
            {
                Directory = options.GetValue(Ephemeral) ? null : Path.Combine(directory, "store"),
            });

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

    private static TestnetDescription Describe(WebApplication app, ParseResult options, string directory)
    {
        var view = app.Services.GetRequiredService<NetworkViewSource>().Current!;
        var bind = options.GetValue(Bind)!;
        var host = bind is "0.0.0.0" ? "127.0.0.1" : bind;
        var seed = $"https://{host}:{options.GetValue(SeedPort)}";
        var files = app.Services.GetService<FileServerKeys>()?.Pair;
        return new(
            seed,
            $"http://{host}:{options.GetValue(AdminPort)}",
            Path.Combine(directory, AdminToken.FileName),
            Environment.ProcessId,
            options.GetValue(Redis) is not null ? "redis" : options.GetValue(Ephemeral) ? "memory" : "embedded",
            options.GetValue(HardFork)!,
            options.GetValue(SwarmSize),
            options.GetValue(NoCommunities) ? null : $"http://{options.GetValue(PublicIp)}:{options.GetValue(CommunityPort)}",
            app.Services.GetRequiredService<CommunityKeys>().PublicKey.ToString(),
            files is null ? null : $"http://{options.GetValue(PublicIp)}:{options.GetValue(FilePort)}",
            files?.PublicKey.ToString(),
            files?.X25519.PublicKey.ToString(),
            [.. view.Nodes.Select(node => new NodeDescription(
                node.Index, $"https://{node.IpAddress}:{node.HttpsPort}", $"{seed}/snodes/{node.PublicKey}",
                options.GetValue(NoOmq) ? null : $"tcp://{node.IpAddress}:{node.OmqPort}",
                node.PublicKey.ToString(), node.Keys.X25519.PublicKey.ToString(), node.SwarmId.ToString()))],
            [.. view.Swarms.Select(swarm => new SwarmDescription(swarm.Id.ToString(), [.. swarm.Members.Select(member => member.Index).Order()]))]);
    }

    private static void Announce(TestnetDescription network, string directory)
    {
        Console.WriteLine($"testnet ready: seed={network.SeedUrl} nodes={network.Nodes.Count} swarms={network.Swarms.Count} admin={network.AdminUrl}");
        var data = Path.GetRelativePath(Environment.CurrentDirectory, directory) is "testnet-data" ? "" : $" --data {directory}";
        Console.WriteLine($"""

            Try next, in another terminal:
              session-testnet demo{data}      send a message through three hops and read it at the other end
              session-testnet status{data}    height, nodes, swarms, live messages
            A Session client takes {network.SeedUrl} as its seed node{(network.FileServerUrl is { } files ? $" and {files} as its file server" : "")}. {Path.Combine(directory, TestnetDescription.FileName)} lists every node.
            Ctrl-C stops the network{(network.Store is "memory" ? " and forgets its messages" : "; its messages stay")}.
            """);
    }
}
