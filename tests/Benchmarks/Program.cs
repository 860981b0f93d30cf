using BenchmarkDotNet.Running;
using Session.Orleans.Benchmarks;

if (args is [StoreTransportComparison.Name])
    await StoreTransportComparison.RunAsync();
else
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
