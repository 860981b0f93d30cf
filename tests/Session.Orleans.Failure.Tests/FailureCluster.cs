using System.Globalization;
using System.Text.Json;

namespace Session.Orleans.Failure.Tests;

/// <summary>A network of several processes against a Redis of its own, as <c>up --silos</c> starts it.</summary>
public sealed class FailureCluster : IAsyncLifetime
{
    public static int Silos => IsLong ? 3 : 2;

    public const int Gateways = 2;

    // A silo and a health port for each process, the slots of gateways beginning at 30 and health ports 40 above.
    internal const int ClusterPorts = 80;

    private static readonly TimeSpan HealLimit = TimeSpan.FromSeconds(120);

    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(2) };

    /// <summary>True if <c>SESSION_FAILURE=long</c>: as often and as long as an operator would like to see it once before a release.</summary>
    public static bool IsLong { get; } = Environment.GetEnvironmentVariable("SESSION_FAILURE") is "long";

    /// <summary>Folder of the program, or null for the one that was built with the tests.</summary>
    internal string? Release { get; init; }

    internal TestnetProcess Testnet { get; private set; } = null!;

    internal RedisServer Redis { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Redis = await RedisServer.StartAsync(fsync: "always");
        Testnet = await TestnetProcess.StartAsync(
            options: $"--silos {Silos} --gateways {Gateways} --redis {Redis.ConnectionString} --no-omq", siloPort: Ports.Find(ClusterPorts), release: Release);
    }

    public async ValueTask DisposeAsync()
    {
        if (Testnet is not null)
        {
            if (Environment.GetEnvironmentVariable("SESSION_FAILURE_LOG") is { Length: > 0 } file)
                await File.WriteAllTextAsync(file, Testnet.Log);
            if (!Testnet.Process.HasExited)
                _ = await Testnet.StopAsync();
            await Testnet.DisposeAsync();
        }

        if (Redis is not null)
            await Redis.DisposeAsync();
    }

    /// <summary>The processes as <c>testnet.json</c> lists them now.</summary>
    internal IReadOnlyList<Member> Members()
    {
        using var description = JsonDocument.Parse(File.ReadAllText(Testnet.DescriptionFile));
        return [.. description.RootElement.GetProperty("processes").EnumerateArray().Select(process => new Member(
            process.GetProperty("name").GetString()!, process.GetProperty("processId").GetInt32(), new Uri(process.GetProperty("healthUrl").GetString()!)))];
    }

    /// <summary>Returns when as many processes as were started are ready, and none of <paramref name="gone"/> is among them.</summary>
    internal async Task UntilWholeAsync(params int[] gone)
    {
        using var limit = new CancellationTokenSource(HealLimit);
        while (!await IsWholeAsync(gone))
        {
            Assert.False(Testnet.Process.HasExited, Testnet.Log);
            try
            {
                await Task.Delay(100, limit.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail(string.Create(CultureInfo.InvariantCulture, $"Not whole within {HealLimit.TotalSeconds} s: {string.Join(", ", Members())}\n{Testnet.Log}"));
            }
        }
    }

    private async Task<bool> IsWholeAsync(int[] gone)
    {
        var members = Members();
        if (members.Count != Silos + Gateways || members.Any(member => gone.Contains(member.ProcessId)))
            return false;
        foreach (var member in members)
        {
            try
            {
                using var response = await Http.GetAsync(new Uri(member.Health, "/health/ready"));
                if (!response.IsSuccessStatusCode)
                    return false;
            }
            catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A process of the network.</summary>
    internal sealed record Member(string Name, int ProcessId, Uri Health)
    {
        public bool IsSilo => Name.StartsWith("silo", StringComparison.Ordinal);
    }
}
