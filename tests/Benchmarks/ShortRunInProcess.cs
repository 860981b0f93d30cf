using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace Session.Orleans.Benchmarks;

/// <summary>Three short iterations in this process: a class takes about a minute, and nothing is generated or built.</summary>
internal sealed class ShortRunInProcess : ManualConfig
{
    public ShortRunInProcess() => AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
}
