using BenchmarkDotNet.Running;
using Session.Orleans.Benchmarks;

if (args is [StoreTransportComparison.Name])
    await StoreTransportComparison.RunAsync();
else if (args is [ViewChangeMeasurement.Name])
    await ViewChangeMeasurement.RunAsync();
else if (args is [IndexOnDiskMeasurement.Name])
    await IndexOnDiskMeasurement.RunAsync();
else
    BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
