using System.CommandLine;
using System.Globalization;
using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet chain</c>: the clock and the ledger of the running network.</summary>
internal static class ChainCommand
{
    private const decimal AtomicUnits = 1_000_000_000;

    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly Argument<int> Blocks = new("BLOCKS") { Description = "How many blocks, 1 to 10000", DefaultValueFactory = _ => 1 };

    public static Command Create()
    {
        var step = new Command("step", "Makes blocks at once") { Blocks, Data, Output };
        step.SetAction((options, cancellationToken) => RunAsync(options, admin => admin.StepChainAsync(options.GetValue(Blocks), cancellationToken)));
        return new Command("chain", "Shows and steers the chain: height, clock, ledger")
        {
            Simple("show", "Shows height, clock and ledger", (admin, cancellationToken) => admin.GetChainAsync(cancellationToken)),
            step,
            Simple("pause", "Stops blocks from coming by themselves", (admin, cancellationToken) => admin.SetChainClockAsync(runs: false, cancellationToken)),
            Simple("resume", "Lets blocks come by themselves", (admin, cancellationToken) => admin.SetChainClockAsync(runs: true, cancellationToken)),
        };
    }

    private static Command Simple(string name, string description, Func<AdminClient, CancellationToken, Task<AdminReply<ChainReport>>> ask)
    {
        var command = new Command(name, description) { Data, Output };
        command.SetAction((options, cancellationToken) => RunAsync(options, admin => ask(admin, cancellationToken)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, Func<AdminClient, Task<AdminReply<ChainReport>>> ask)
    {
        // Thousands of blocks take longer than a look.
        using var admin = AdminClient.Open(options.GetValue(Data)!, TimeSpan.FromMinutes(1));
        var reply = await ask(admin);
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(reply.Json);
            return ExitCodes.Ok;
        }

        var chain = reply.Value;
        var culture = CultureInfo.InvariantCulture;
        Console.WriteLine(string.Create(culture, $"height    {chain.Height}  {chain.BlockHash}"));
        Console.WriteLine(chain.IsPaused ? "clock     paused" : string.Create(culture, $"clock     a block every {chain.BlockSeconds:0.###} s"));
        Console.WriteLine(string.Create(culture,
            $"coins     {chain.Minted / AtomicUnits:#,0.###} made: {chain.Balances / AtomicUnits:#,0.###} free, {chain.Stakes / AtomicUnits:#,0.###} staked, {chain.Locked / AtomicUnits:#,0.###} locked"));
        return ExitCodes.Ok;
    }
}
