using System.Diagnostics;
using System.Diagnostics.Tracing;
using Microsoft.Diagnostics.NETCore.Client;

namespace Session.Orleans.Testnet.Bench;

/// <summary>What a server holds once its garbage has been collected, in bytes.</summary>
/// <param name="Heap">Managed objects that are in use.</param>
/// <param name="Resident">Memory of its process.</param>
internal sealed record ServerMemory(double Heap, double Resident)
{
    private const long CollectKeyword = 0x800000; // of the runtime's events: who asks for them gets a full collection first
    private const int Collections = 2; // the first one leaves objects to be finalized
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>Has the server collect its garbage, and looks at what is left.</summary>
    /// <exception cref="CommandException">It does not collect, or tells nothing of it.</exception>
    public static async Task<ServerMemory> MeasureAsync(BenchNetwork network, CancellationToken cancellationToken)
    {
        for (var i = 0; i < Collections; i++)
            await CollectAsync(network, cancellationToken);
        var size = await network.GetMetricAsync("dotnet_gc_last_collection_heap_size_bytes", cancellationToken);
        var gaps = await network.GetMetricAsync("dotnet_gc_last_collection_heap_fragmentation_size_bytes", cancellationToken);
        return new((size ?? throw NoMetrics()) - (gaps ?? 0), network.WorkingSet);
    }

    private static async Task CollectAsync(BenchNetwork network, CancellationToken cancellationToken)
    {
        var before = await CountAsync();
        using var session = await new DiagnosticsClient(network.ProcessId).StartEventPipeSessionAsync(
            new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Informational, CollectKeyword), requestRundown: false, token: cancellationToken);
        // The server waits for a reader when its buffer is full, and the end of the stream for the session's.
        var reading = session.EventStream.CopyToAsync(Stream.Null, cancellationToken);
        var started = Stopwatch.GetTimestamp();
        while (await CountAsync() <= before)
        {
            if (Stopwatch.GetElapsedTime(started) > Limit)
                throw new CommandException(ExitCodes.Failed, "The server does not collect its garbage.");
        }

        await session.StopAsync(cancellationToken);
        await reading;

        async Task<double> CountAsync() =>
            await network.GetMetricAsync("dotnet_gc_collections_total", cancellationToken, "\"gen2\"") ?? throw NoMetrics();
    }

    private static CommandException NoMetrics() => new(ExitCodes.Failed, "The server tells nothing of its memory.");
}
