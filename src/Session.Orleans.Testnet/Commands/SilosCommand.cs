using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Session.Orleans.Testnet.Cluster;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet silos</c>: the processes of a network that was started with <c>--silos</c>.</summary>
internal static class SilosCommand
{
    public static Command Create() => new("silos", "Shows and changes the processes of a network that runs with --silos")
    {
        List(), Scale(), Restart(), Kill(),
    };

    private static Command List()
    {
        var (data, output) = (CommonOptions.Data(), CommonOptions.Output());
        var command = new Command("list", "Lists the processes") { data, output };
        command.SetAction(options =>
        {
            var processes = Processes(options.GetValue(data)!);
            if (options.GetValue(output) is OutputFormat.Json)
            {
                Console.WriteLine(JsonSerializer.Serialize(processes, TestnetJsonContext.Default.IReadOnlyListProcessDescription));
                return ExitCodes.Ok;
            }

            var table = Tables.Create("process", "role", ">pid", "=health");
            foreach (var process in processes)
                table.AddPlainRow(process.Name, process.Role, Text(process.ProcessId), process.HealthUrl);
            Tables.Print(table);
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Scale()
    {
        var data = CommonOptions.Data();
        var count = new Argument<int>("N") { Description = "Silos that there are to be, without gateways" };
        var command = new Command("scale", "Makes the silos more or fewer; those that go hand over first") { count, data };
        command.SetAction(async (options, cancellationToken) =>
        {
            await SupervisorDoor.OrderAsync(options.GetValue(data)!, $"scale?silos={Text(options.GetValue(count))}", cancellationToken);
            Console.WriteLine($"{options.GetValue(count)} silos");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Restart()
    {
        var data = CommonOptions.Data();
        var command = new Command("restart", "Replaces all processes, gateways too, one after another, without a gap") { data };
        command.SetAction(async (options, cancellationToken) =>
        {
            var watch = Stopwatch.StartNew();
            await SupervisorDoor.OrderAsync(options.GetValue(data)!, "restart", cancellationToken);
            Console.WriteLine($"{Processes(options.GetValue(data)!).Count} processes replaced in {watch.Elapsed.TotalSeconds:F0} s");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Kill()
    {
        var data = CommonOptions.Data();
        var name = new Argument<string>("NAME") { Description = "A process, as 'silos list' names it" };
        var command = new Command("kill", "Kills a process on the spot; it is started again") { name, data };
        command.SetAction(options =>
        {
            var processes = Processes(options.GetValue(data)!);
            var victim = processes.FirstOrDefault(process => process.Name == options.GetValue(name))
                ?? throw new CommandException(ExitCodes.Usage, $"There is no process '{options.GetValue(name)}', only {string.Join(", ", processes.Select(process => process.Name))}.");
            try
            {
                using var process = Process.GetProcessById(victim.ProcessId);
                process.Kill();
            }
            catch (ArgumentException)
            {
                throw new CommandException(ExitCodes.Failed, $"{victim.Name} does not run at the moment.");
            }

            Console.WriteLine($"killed {victim.Name}, process {Text(victim.ProcessId)}");
            return ExitCodes.Ok;
        });
        return command;
    }

    private static IReadOnlyList<ProcessDescription> Processes(string directory) =>
        TestnetDescription.Load(directory).Processes is { Count: > 0 } processes ? processes
            : throw new CommandException(ExitCodes.NotRunning, $"The network on '{directory}' is one process; 'session-testnet up --silos N' starts several.");

    private static string Text(int number) => number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
