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
/// <param name="FloorMicroseconds">CPU time of the request's cryptography alone.</param>
/// <param name="CpuOverFloor">The one divided by the other.</param>
/// <param name="ClientCpuMicroseconds">CPU time of the benchmark itself per request.</param>
internal sealed record BenchResult(
    string Kind, int Concurrency, int Requests, double RequestsPerSecond, double P50Milliseconds, double P99Milliseconds,
    double ServerCpuMicroseconds, double FloorMicroseconds, double CpuOverFloor, double ClientCpuMicroseconds);

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

[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(BenchReport))]
[JsonSerializable(typeof(BenchFaultsReport))]
internal sealed partial class BenchJsonContext : JsonSerializerContext;
