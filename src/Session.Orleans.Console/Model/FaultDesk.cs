using System.Globalization;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>Begins and ends faults for a page. What can't be done it answers in a sentence, as the page has to show it.</summary>
internal sealed class FaultDesk(FaultOrders orders, NetworkViewSource views)
{
    // Changes are known everywhere within a tenth of a second; a page that shows the old state for longer than this is told the truth later.
    private static readonly TimeSpan ViewLimit = TimeSpan.FromSeconds(2);

    /// <summary>Faults that a node's panel can switch on and off.</summary>
    public static readonly IReadOnlyList<FaultSwitch> Switches =
    [
        new(FaultKind.Offline, "Offline: never answers", new("offline")),
        new(FaultKind.Refuse, "Refuses connections", new("refuse")),
        new(FaultKind.Latency, "Slow: 500 ms later", new("latency", DelayMs: 500)),
        new(FaultKind.Loss, "Loses half of the requests", new("loss", Probability: 0.5)),
        new(FaultKind.CorruptLayer, "Damages what it passes on", new("corruptLayer")),
        new(FaultKind.WrongSignature, "Signs wrongly", new("wrongSignature")),
        new(FaultKind.StaleData, "Hides new messages", new("staleData")),
    ];

    /// <summary>The faults of this kind that are this node's alone.</summary>
    public static IEnumerable<Fault> OfNode(NetworkView view, int index, FaultKind kind) =>
        view.State.Faults.Where(fault => fault.Kind == kind && IsOwn(fault, index));

    /// <summary>True for faults that are this node's and no other's.</summary>
    public static bool IsOwn(Fault fault, int index) => fault.Peers.IsEmpty && fault.Nodes is [var only] && only == index;

    /// <summary>Begins a fault.</summary>
    /// <returns>Why it has not begun; null if it has.</returns>
    public Task<string?> AddAsync(FaultOrder order) => ExplainAsync(async view => await orders.AddAsync(view, [order]));

    /// <summary>Ends faults; it is no matter if some have ended meanwhile.</summary>
    /// <returns>Why they have not ended; null if they have.</returns>
    public Task<string?> EndAsync(IEnumerable<Fault> faults)
    {
        string[] ids = [.. faults.Select(fault => fault.Id)];
        return ids.Length == 0 ? Task.FromResult<string?>(null) : ExplainAsync(async _ =>
        {
            try
            {
                await orders.RemoveAsync(ids);
            }
            catch (NotInNetworkException)
            {
                // Somebody else ended it, or its time is over.
            }
        });
    }

    /// <summary>Splits what an operator writes: numbers, ranges such as <c>5-7</c>, beginnings of keys, labels.</summary>
    public static IReadOnlyList<string> SplitNodes(string text) =>
        [.. text.Split([',', ' ', ';'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).SelectMany(Expand)];

    private static IEnumerable<string> Expand(string part) =>
        part.Split('-') is [var from, var to]
            && int.TryParse(from, NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && int.TryParse(to, NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            && first <= last && last < NetworkOptions.MaxNodes
            ? Enumerable.Range(first, last - first + 1).Select(index => index.ToString(CultureInfo.InvariantCulture))
            : [part];

    private async Task<string?> ExplainAsync(Func<NetworkView, Task> work)
    {
        if (!views.TryGet(out var view))
            return "The network has not started yet.";
        try
        {
            await work(view);
        }
        catch (Exception exception) when (exception is NetworkOrderException or NotInNetworkException)
        {
            return exception.Message;
        }
        catch (Exception exception) when (exception is TimeoutException or OrleansException)
        {
            return "The network did not answer; whether it has carried out the order shows in the list of faults.";
        }

        await WaitForChangeAsync(view);
        return null;
    }

    /// <summary>Until this silo knows of the change, so that a switch does not jump back.</summary>
    private async Task WaitForChangeAsync(NetworkView old)
    {
        var limit = System.Diagnostics.Stopwatch.StartNew();
        while (views.Current?.State.Version == old.State.Version && limit.Elapsed < ViewLimit)
            await Task.Delay(TimeSpan.FromMilliseconds(10));
    }
}

/// <summary>A fault that can be switched on at a node.</summary>
/// <param name="Kind">What it does.</param>
/// <param name="Label">In words.</param>
/// <param name="Order">The order, without a node.</param>
internal sealed record FaultSwitch(FaultKind Kind, string Label, FaultOrder Order)
{
    /// <summary>The order for this node.</summary>
    public FaultOrder OrderFor(int index) => Order with { Nodes = [index.ToString(CultureInfo.InvariantCulture)], Label = "console" };
}
