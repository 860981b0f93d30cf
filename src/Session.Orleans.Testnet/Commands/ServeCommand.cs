using System.CommandLine;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;
using Session.Orleans.Silo;

namespace Session.Orleans.Testnet.Commands;

/// <summary>
/// <c>session-testnet serve</c>: one process of a cluster, as containers run it. Everything comes from the configuration, nothing is written to disk.
/// </summary>
internal static class ServeCommand
{
    // What load balancers may take to notice, where nothing else is said. Below it connections would still come to closed ports.
    private static readonly Dictionary<string, string?> Defaults = new()
    {
        ["Silo:DrainDelay"] = "00:00:05",
        ["Silo:ShutdownTimeout"] = "00:00:20",
        ["Silo:StoreWait"] = "00:01:00",
        ["Gateway:Bind"] = "0.0.0.0",
        ["Gateway:CommunityPort"] = "22003",
        ["Logging:Format"] = "Json",
        ["Logging:LogLevel:Default"] = "Warning",
        ["Logging:LogLevel:Session.Orleans"] = "Information",
        ["Logging:LogLevel:Orleans.Runtime.Watchdog"] = "Error",
    };

    private static readonly Option<bool> UntilInputEnds = new("--until-input-ends") { Description = "Stop when standard input is closed, for a process that starts others" };

    public static Command Create()
    {
        var command = new Command("serve", $"Runs one process of a cluster, configured by {SiloHost.EnvironmentPrefix}* variables and the JSON file that {SiloHost.FileVariable} names");
        command.Options.Add(UntilInputEnds);
        command.SetAction((options, cancellationToken) => RunAsync(options.GetValue(UntilInputEnds), cancellationToken));
        return command;
    }

    private static Task<int> RunAsync(bool untilInputEnds, CancellationToken cancellationToken) => HostErrors.TranslateAsync(async () =>
    {
        OutOfMemory.EndsProcess();
        await using var app = await SiloHost.BuildAsync([], defaults: Defaults);
        app.Services.GetRequiredService<IStartupValidator>().Validate();
        if (untilInputEnds)
            StopOrder.OnEndOfInput(app.Lifetime.StopApplication);
        await HostErrors.StartAsync(app, cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
        return app.Services.GetRequiredService<NetworkViewSource>().HasFailed ? ExitCodes.Failed : ExitCodes.Ok;
    });
}
