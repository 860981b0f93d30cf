using System.Text.Json;
using System.Text.Json.Serialization;

namespace Session.Orleans.Testnet;

/// <summary>
/// <c>testnet.json</c> in the data directory: the running network for people and scripts. Written when the network is ready, removed when it
/// stops. The file server's members are null if there is none, the community's URL where no community server listens; keys are in hex. Where
/// several processes make the network, they are listed, and <c>processId</c> is that of the one that keeps them. The seed's pin is the
/// SHA-256 of its certificate's public key.
/// </summary>
internal sealed record TestnetDescription(
    string SeedUrl,
    string? SeedPin,
    string AdminUrl,
    string AdminTokenFile,
    int ProcessId,
    string Store,
    string HardFork,
    int SwarmSize,
    string? CommunityUrl,
    string CommunityX25519,
    string? FileServerUrl,
    string? FileServerEd25519,
    string? FileServerX25519,
    IReadOnlyList<NodeDescription> Nodes,
    IReadOnlyList<SwarmDescription> Swarms,
    IReadOnlyList<ProcessDescription>? Processes = null)
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "testnet.json";

    /// <summary>Reads the description of the network that runs on <paramref name="directory"/>.</summary>
    /// <exception cref="CommandException">There is none, or it can't be read.</exception>
    public static TestnetDescription Load(string directory)
    {
        var path = Path.Combine(directory, FileName);
        try
        {
            using var stream = File.OpenRead(path);
            return JsonSerializer.Deserialize(stream, TestnetJsonContext.Default.TestnetDescription)
                ?? throw new CommandException(ExitCodes.NotRunning, $"{path} is empty.");
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CommandException(ExitCodes.NotRunning,
                $"No testnet runs on '{directory}': there is no {FileName}. Start one with 'session-testnet up', or name its folder with --data.");
        }
        catch (Exception exception) when (exception is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Failed, $"{path} can't be read: {exception.Message}");
        }
    }

    /// <summary>Writes the file in one step, so that nobody reads half of it.</summary>
    public void Save(string directory)
    {
        var path = Path.Combine(directory, FileName);
        using (var stream = File.Create(path + ".new"))
            JsonSerializer.Serialize(stream, this, TestnetJsonContext.Default.TestnetDescription);
        File.Move(path + ".new", path, overwrite: true);
    }
}

/// <summary>One service node.</summary>
/// <param name="Index">Number of the node.</param>
/// <param name="Url">The node's own port.</param>
/// <param name="PathUrl">The node by path on the seed's port.</param>
/// <param name="OmqUrl">The node's OxenMQ port, a ZeroMQ address; null if nothing listens there.</param>
/// <param name="Ed25519">Ed25519 public key in hex.</param>
/// <param name="X25519">X25519 public key in hex: of onion layers, and the server key of CURVE.</param>
/// <param name="Swarm">Swarm id in hex.</param>
internal sealed record NodeDescription(int Index, string Url, string PathUrl, string? OmqUrl, string Ed25519, string X25519, string Swarm);

/// <summary>One swarm.</summary>
/// <param name="Id">Swarm id in hex.</param>
/// <param name="Members">Indexes of its members.</param>
internal sealed record SwarmDescription(string Id, IReadOnlyList<int> Members);

/// <summary>One process of a network that runs with <c>--silos</c>.</summary>
/// <param name="Name">Its name, <c>silo-1</c>.</param>
/// <param name="Role">gateway or silo.</param>
/// <param name="ProcessId">Its process id.</param>
/// <param name="HealthUrl">Its own admin port: health checks, and the admin API as well.</param>
internal sealed record ProcessDescription(string Name, string Role, int ProcessId, string HealthUrl);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(TestnetDescription))]
[JsonSerializable(typeof(IReadOnlyList<ProcessDescription>))]
internal sealed partial class TestnetJsonContext : JsonSerializerContext;
