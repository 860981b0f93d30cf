using BenchmarkDotNet.Running;
using Session.Orleans.Benchmarks;

if (args is [StoreTransportComparison.Name])
    await StoreTransportComparison.RunAsync();
else if (args is [ViewChangeMeasurement.Name])
    await ViewChangeMeasurement.RunAsync();
else
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
