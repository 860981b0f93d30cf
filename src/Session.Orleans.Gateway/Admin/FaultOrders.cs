using Microsoft.Extensions.Options;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Gateway.Admin;

/// <summary>Carries out orders for faults, wherever they come from.</summary>
public sealed class FaultOrders(IGrainFactory grains, IOptions<NetworkOptions> options, TimeProvider time)
{
    private INetworkGrain Network => grains.GetGrain<INetworkGrain>(options.Value.Name);

    /// <summary>Begins all faults that are ordered, or none.</summary>
    /// <param name="view">The network in which the orders' names are looked up.</param>
    /// <param name="orders">One order for each fault.</param>
    /// <returns>The faults with their ids.</returns>
    /// <exception cref="NetworkOrderException">An order is not possible.</exception>
    /// <exception cref="NotInNetworkException">An order names what is not there.</exception>
    public async Task<IReadOnlyList<FaultReport>> AddAsync(NetworkView view, IReadOnlyList<FaultOrder> orders)
    {
        if (orders.Count == 0)
            throw new NetworkOrderException("The list of faults is empty.");
        return Reports(await Network.AddFaultsAsync([.. orders.Select(order => ToFault(order, view, time.GetUtcNow()))]));
    }

    /// <summary>Ends the faults with these ids or labels, or all if none is named.</summary>
    /// <returns>The faults that have ended.</returns>
    /// <exception cref="NotInNetworkException">A name is nobody's; the faults that have the others have ended.</exception>
    public async Task<IReadOnlyList<FaultReport>> RemoveAsync(IReadOnlyList<string> names)
    {
        var removed = await Network.RemoveFaultsAsync([.. names]);
        var unknown = names.Where(name => !removed.Any(fault => fault.Id == name || fault.Label == name)).ToArray();
        if (unknown.Length == 0)
            return Reports(removed);
        var ended = removed.IsEmpty ? "" : $" Others have ended: {string.Join(", ", removed.Select(fault => fault.Id))}.";
        throw new NotInNetworkException($"There is no fault '{string.Join("', '", unknown)}'.{ended}");
    }

    private static Fault ToFault(FaultOrder? order, NetworkView view, DateTimeOffset now)
    {
        if (order is not { Kind.Length: > 0 } || !AdminText.TryParse<FaultKind>(order.Kind, out var kind))
            throw new NetworkOrderException($"There is no fault of kind '{order?.Kind}'; there are {AdminText.All<FaultKind>()}.");
        var distribution = order.SpreadMs > 0 ? DelayDistribution.Uniform : DelayDistribution.Fixed;
        if (order.Distribution is { Length: > 0 } name && !AdminText.TryParse(name, out distribution))
            throw new NetworkOrderException($"There is no distribution '{name}'; there are {AdminText.All<DelayDistribution>()}.");
        if (order.ForSeconds is not (null or (> 0 and <= 31_536_000)))
            throw new NetworkOrderException("A fault lasts more than 0 seconds and at most a year.");

        return new Fault
        {
            Kind = kind,
            Nodes = NetworkSelectors.Indices(view, order.Nodes, order.Swarms),
            Peers = NetworkSelectors.Indices(view, order.To, order.ToSwarms),
            Probability = order.Probability,
            Delay = Milliseconds(order.DelayMs),
            Spread = Milliseconds(order.SpreadMs),
            Distribution = distribution,
            BytesPerSecond = order.BytesPerSecond,
            Until = order.ForSeconds is { } seconds ? now + TimeSpan.FromSeconds(seconds) : null,
            Label = order.Label,
        };
    }

    private static TimeSpan Milliseconds(double value) =>
        double.IsFinite(value) && Math.Abs(value) < 1e11 ? TimeSpan.FromMilliseconds(value)
            : throw new NetworkOrderException("A time in milliseconds is out of range.");

    private static IReadOnlyList<FaultReport> Reports(IEnumerable<Fault> faults) => [.. faults.Select(FaultReport.Of)];
}
