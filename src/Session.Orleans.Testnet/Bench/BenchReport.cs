using System.Text.Json.Serialization;

namespace Session.Orleans.Testnet.Bench;

/// <summary>A run of the benchmark, as <c>--output json</c> prints it.</summary>
/// <param name="Circumstances">What a reader needs to compare it with another run.</param>
/// <param name="CryptoMicroseconds">CPU microseconds of one call of each primitive.</param>
/// <param name="Results">One per kind of request and concurrency.</param>
internal sealed record BenchReport(
    BenchCircumstances Circumstances, IReadOnlyDictionary<string, double> CryptoMicroseconds, IReadOnlyList<BenchResult> Results);

/// <summary>Machine, runtime and settings.</summary>
/// <param name="Date">Start of the run, UTC.</param>
/// <param name="Version">Version of this program.</param>
/// <param name="Cpu">Model of the processor.</param>
/// <param name="Cores">Logical processors, shared by client and server.</param>
/// <param name="LoadBefore">Processes that wanted to run in the minute before the start; null where the system does not say.</param>
/// <param name="Os">Operating system.</param>
/// <param name="Runtime">.NET runtime.</param>
/// <param name="Store">What keeps the messages: memory, embedded (on disk) or redis.</param>
/// <param name="Cipher">Cipher of the onion layers.</param>
/// <param name="Nodes">Service nodes.</param>
/// <param name="Swarms">Swarms.</param>
/// <param name="AverageSwarmSize">Members of a swarm, which all sign a store.</param>
/// <param name="IdleCpuMillisecondsPerSecond">CPU time that the server takes without requests; it is part of the figures per request.</param>
/// <param name="ReadySeconds">From the start of the network's process to its line <c>testnet ready</c>; null if it ran already.</param>
internal sealed record BenchCircumstances(
    DateTimeOffset Date, string Version, string Cpu, int Cores, double? LoadBefore, string Os, string Runtime, string Store, string Cipher,
    int Nodes, int Swarms, double AverageSwarmSize, double IdleCpuMillisecondsPerSecond, double? ReadySeconds);

/// <summary>One row.</summary>
/// <param name="Kind">poll, store or direct-poll.</param>
/// <param name="Concurrency">Requests in flight.</param>
/// <param name="Requests">Requests measured.</param>
/// <param name="RequestsPerSecond">Requests per second; client and server share the processors.</param>
/// <param name="P50Milliseconds">Median latency.</param>
/// <param name="P99Milliseconds">99th percentile of latency.</param>
/// <param name="ServerCpuMicroseconds">CPU time of the server's process per request.</param>
/// <param name="FloorMicroseconds">CPU time of the request's cryptography alone, measured between the rounds.</param>
/// <param name="CpuOverFloor">The one divided by the other.</param>
/// <param name="ClientCpuMicroseconds">CPU time of the benchmark itself per request.</param>
/// <param name="AllocatedBytes">Managed memory that the server allocates per request; null if it makes no metrics.</param>
internal sealed record BenchResult(
    string Kind, int Concurrency, int Requests, double RequestsPerSecond, double P50Milliseconds, double P99Milliseconds,
    double ServerCpuMicroseconds, double FloorMicroseconds, double CpuOverFloor, double ClientCpuMicroseconds, double? AllocatedBytes = null);

/// <summary>Two builds or settings side by side, as <c>bench versus --output json</c> prints it.</summary>
/// <param name="Date">Start of the run, UTC.</param>
/// <param name="Version">Version of this program.</param>
/// <param name="Cpu">Model of the processor.</param>
/// <param name="Cores">Logical processors, shared by client and servers.</param>
/// <param name="Other">What the other network is: a program, settings.</param>
/// <param name="Rounds">Rounds of each.</param>
/// <param name="Requests">Requests in a round.</param>
/// <param name="Results">One per kind of request and concurrency.</param>
internal sealed record BenchVersusReport(
    DateTimeOffset Date, string Version, string Cpu, int Cores, string Other, int Rounds, int Requests, IReadOnlyList<BenchVersusResult> Results);

/// <summary>One row of <see cref="BenchVersusReport"/>.</summary>
/// <param name="Kind">poll, store or direct-poll.</param>
/// <param name="Concurrency">Requests in flight.</param>
/// <param name="OtherCpuMicroseconds">CPU time of the other network's process per request.</param>
/// <param name="CpuMicroseconds">CPU time of this program's network per request.</param>
/// <param name="CpuRatio">Mean over the middle half of neighbouring rounds' ratios: 0.9 is a tenth less than the other.</param>
/// <param name="ThroughputRatio">The same of requests per second: 1.1 is a tenth more than the other.</param>
/// <param name="OtherAllocatedBytes">Managed memory that the other allocates per request; null if it makes no metrics.</param>
/// <param name="AllocatedBytes">The same of this program.</param>
internal sealed record BenchVersusResult(
    string Kind, int Concurrency, double OtherCpuMicroseconds, double CpuMicroseconds, double CpuRatio, double ThroughputRatio,
    double? OtherAllocatedBytes, double? AllocatedBytes);

/// <summary>Latency of requests that do not wait for one another, as <c>bench latency --output json</c> prints it.</summary>
/// <param name="Date">Start of the run, UTC.</param>
/// <param name="Version">Version of this program.</param>
/// <param name="Cpu">Model of the processor.</param>
/// <param name="Cores">Logical processors, shared by client and server.</param>
/// <param name="Kind">poll, store or direct-poll.</param>
/// <param name="Rounds">Rounds of saturation, open loop and the same work alone, in turns; what follows are medians over them.</param>
/// <param name="SaturationPerSecond">Requests per second with 64 in flight.</param>
/// <param name="RatePerSecond">Requests per second of the open loop.</param>
/// <param name="Requests">Requests of all open loops together.</param>
/// <param name="Latency">Of the network, from the moment that the schedule says.</param>
/// <param name="SaturatedServerCpuMicroseconds">CPU time of the server per request with 64 in flight.</param>
/// <param name="ServerCpuMicroseconds">CPU time of the server per request in the open loop.</param>
/// <param name="CpuMicroseconds">CPU time of server and client together per request in the open loop.</param>
/// <param name="Floor">Of as many pieces of work of that CPU time at the same rate in one process, see <see cref="LatencyFloor"/>.</param>
internal sealed record BenchLatencyReport(
    DateTimeOffset Date, string Version, string Cpu, int Cores, string Kind, int Rounds, double SaturationPerSecond, double RatePerSecond, int Requests,
    BenchLatencyFigures Latency, double SaturatedServerCpuMicroseconds, double ServerCpuMicroseconds, double CpuMicroseconds, BenchLatencyFigures Floor);

/// <summary>How latencies are distributed, as medians over rounds.</summary>
/// <param name="P50Milliseconds">Median of a round.</param>
/// <param name="P99Milliseconds">Its 99th percentile.</param>
/// <param name="P999Milliseconds">Its 99.9th percentile.</param>
/// <param name="P99OverP50">Its 99th percentile divided by its median.</param>
/// <param name="LeastP99OverP50">The same of the steadiest round.</param>
/// <param name="MostP99OverP50">The same of the least steady one.</param>
internal sealed record BenchLatencyFigures(
    double P50Milliseconds, double P99Milliseconds, double P999Milliseconds, double P99OverP50, double LeastP99OverP50, double MostP99OverP50);

/// <summary>What faults cost those requests that meet none, as <c>bench faults --output json</c> prints it.</summary>
/// <param name="Date">Start of the run, UTC.</param>
/// <param name="Version">Version of this program.</param>
/// <param name="Cpu">Model of the processor.</param>
/// <param name="Cores">Logical processors, shared by client and server.</param>
/// <param name="Faults">Faults in force in every second round, on nodes that no request meets.</param>
/// <param name="Concurrency">Requests in flight.</param>
/// <param name="Rounds">Rounds with and as many without faults, in turns.</param>
/// <param name="RequestsPerRound">Polls through three hops and a destination in each.</param>
/// <param name="CpuMicroseconds">Median over the rounds without faults of the server's CPU time per request.</param>
/// <param name="CpuMicrosecondsWithFaults">The same with faults.</param>
/// <param name="CpuRatio">Median of the ratios of neighbouring rounds: 1.03 is 3 % more with faults.</param>
/// <param name="ThroughputRatio">The same of requests per second.</param>
internal sealed record BenchFaultsReport(
    DateTimeOffset Date, string Version, string Cpu, int Cores, int Faults, int Concurrency, int Rounds, int RequestsPerRound,
    double CpuMicroseconds, double CpuMicrosecondsWithFaults, double CpuRatio, double ThroughputRatio);

/// <summary>What telemetry costs a request, from one run of networks that differ in nothing else.</summary>
/// <param name="Date">When it was measured.</param>
/// <param name="Version">Of the program.</param>
/// <param name="Cpu">Model of the processor.</param>
/// <param name="Cores">Logical processors.</param>
/// <param name="Concurrency">Requests in flight.</param>
/// <param name="Rounds">Rounds of each network.</param>
/// <param name="Requests">Polls in a round.</param>
/// <param name="Settings">The networks.</param>
/// <param name="SpansPerPoll">Places in a poll's way where a span may begin.</param>
/// <param name="UnheardSpanNanoseconds">What such a place costs while nobody listens to spans at all.</param>
internal sealed record BenchTracingReport(
    DateTimeOffset Date, string Version, string Cpu, int Cores, int Concurrency, int Rounds, int Requests, IReadOnlyList<BenchTracingResult> Settings,
    int SpansPerPoll, double UnheardSpanNanoseconds)
{
    /// <summary>Share of a poll's CPU time that spans cost while nobody listens to them: too little for networks to be told apart by it.</summary>
    public double UnheardShare => SpansPerPoll * UnheardSpanNanoseconds / 1000 / Settings[0].CpuMicroseconds;
}

/// <summary>One network of <see cref="BenchTracingReport"/>.</summary>
/// <param name="Name">What is switched on.</param>
/// <param name="CpuMicroseconds">The server's CPU time per poll, mean over the middle half of the rounds.</param>
/// <param name="Base">The network it is compared with.</param>
/// <param name="Ratio">To that of the other network, round by round: mean over the middle half.</param>
/// <param name="Error">Standard error of the ratio, from how far apart the middle half of the rounds are.</param>
internal sealed record BenchTracingResult(string Name, double CpuMicroseconds, string Base, double Ratio, double Error);

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(BenchFaultsReport))]
[JsonSerializable(typeof(BenchTracingReport))]
[JsonSerializable(typeof(BenchVersusReport))]
[JsonSerializable(typeof(BenchLatencyReport))]
[JsonSerializable(typeof(BenchScaleReport))]
internal sealed partial class BenchJsonContext : JsonSerializerContext;
