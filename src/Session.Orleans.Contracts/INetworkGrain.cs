using System.Collections.Immutable;

namespace Session.Orleans.Contracts;

/// <summary>
/// The chain of the network, without a coin: block height, node registry and swarm table. One writer, persisted, and never on a request's
/// path: silos work from the copy that is pushed to them. The key is the network's name.
/// </summary>
[Alias("session.INetworkGrain")]
public interface INetworkGrain : IGrainWithStringKey
{
    /// <summary>
    /// Brings the network to the wanted size: creates it at first, later registers missing nodes or removes those with a higher index than
    /// wanted. Doing it again with the same plan changes nothing.
    /// </summary>
    /// <exception cref="NetworkPlanException">The stored network was made with another secret.</exception>
    [Alias("Configure")]
    Task<NetworkState> ConfigureAsync(NetworkPlan plan);

    /// <summary>
    /// Registers <paramref name="observer"/> for changes, or renews it (needed once a minute), and returns the current state; null if that is
    /// of <paramref name="knownVersion"/>.
    /// </summary>
    /// <exception cref="NetworkPlanException">The network has not been configured yet.</exception>
    [Alias("Subscribe")]
    Task<NetworkState?> SubscribeAsync(INetworkObserver observer, long knownVersion);

    /// <summary>Carries out an order to nodes, all in one block that is made at once.</summary>
    /// <exception cref="NetworkOrderException">The order is not possible for one of them; nothing has changed.</exception>
    [Alias("Order")]
    Task<NetworkState> OrderAsync(NodeOrderKind order, ImmutableArray<int> nodes);

    /// <summary>Makes this many blocks at once, 1 to 10,000.</summary>
    /// <exception cref="NetworkOrderException">Too many or too few.</exception>
    [Alias("Step"), ResponseTimeout("00:01:00")]
    Task<NetworkState> StepAsync(int blocks);

    /// <summary>Lets blocks come by themselves, or stops that.</summary>
    [Alias("SetClock")]
    Task<NetworkState> SetClockAsync(bool runs);

    /// <summary>Where all coins are.</summary>
    [Alias("GetLedger")]
    Task<LedgerState> GetLedgerAsync();

    /// <summary>Moves coins from the operator's account, which the nodes' rewards go to, to another, in a block that is made at once.</summary>
    /// <param name="to">Name of the other account.</param>
    /// <param name="amount">Atomic units, more than 0.</param>
    /// <returns>False if the operator has fewer; nothing has changed then.</returns>
    [Alias("Pay")]
    Task<bool> PayAsync(string to, long amount);

    /// <summary>Gives nodes a label, or takes it from them.</summary>
    /// <param name="label">The label.</param>
    /// <param name="nodes">Indices of the nodes; empty stands for all that have it when it is taken.</param>
    /// <param name="isSet">True to give it, false to take it.</param>
    /// <exception cref="NetworkOrderException">The label is malformed or a node is not registered; nothing has changed.</exception>
    [Alias("SetLabel")]
    Task<NetworkState> SetLabelAsync(string label, ImmutableArray<int> nodes, bool isSet);

    /// <summary>Registry, height, ledger and what goes with them, for a snapshot.</summary>
    [Alias("Save")]
    Task<NetworkArchive> SaveAsync();

    /// <summary>Becomes what it was when <paramref name="archive"/> was made. Options of the network, its clock and faults in force stay.</summary>
    /// <exception cref="NetworkOrderException">It is another network's archive; nothing has changed.</exception>
    [Alias("Restore")]
    Task<NetworkState> RestoreAsync(NetworkArchive archive);

    /// <summary>Has every silo forget what it remembers of mailboxes, because others than their grains have written to the store.</summary>
    [Alias("StoreReplaced")]
    Task<NetworkState> StoreReplacedAsync();

    /// <summary>Begins faults. They are part of the network: persisted, known to every silo, and ended by the network when their time is over.</summary>
    /// <returns>The faults with their ids and their beginning.</returns>
    /// <exception cref="NetworkOrderException">One of them is not possible; none has begun.</exception>
    [Alias("AddFaults")]
    Task<ImmutableArray<Fault>> AddFaultsAsync(ImmutableArray<Fault> faults);

    /// <summary>Ends those faults whose id or label is among <paramref name="names"/>, or all of them if it is empty.</summary>
    /// <returns>The faults that have ended.</returns>
    [Alias("RemoveFaults")]
    Task<ImmutableArray<Fault>> RemoveFaultsAsync(ImmutableArray<string> names);

    /// <summary>Ends a registration.</summary>
    [Alias("Unsubscribe")]
    Task UnsubscribeAsync(INetworkObserver observer);
}

/// <summary>A silo's ear for changes of the network.</summary>
[Alias("session.INetworkObserver")]
public interface INetworkObserver : IGrainObserver
{
    /// <summary>Called on every change. Calls may be lost or arrive out of order: versions tell, and subscribing again repairs.</summary>
    [Alias("Changed")]
    Task ChangedAsync(NetworkState state);
}

/// <summary>What an operator asks of the network.</summary>
/// <param name="Nodes">Number of service nodes.</param>
/// <param name="SwarmSize">Ideal number of members of a swarm; the real network has 7.</param>
/// <param name="BlockTime">Time from block to block.</param>
/// <param name="HardForkMajor">Hard fork of the chain.</param>
/// <param name="HardForkRevision">Service node revision of the chain.</param>
/// <param name="ChainSpeed">How many times faster than by block count nodes live, 1..1000: divides the durations of proofs, failures and credit.</param>
[GenerateSerializer, Immutable, Alias("session.NetworkPlan")]
public sealed record NetworkPlan(
    [property: Id(0)] int Nodes,
    [property: Id(1)] int SwarmSize,
    [property: Id(2)] TimeSpan BlockTime,
    [property: Id(3)] int HardForkMajor,
    [property: Id(4)] int HardForkRevision,
    [property: Id(5)] int ChainSpeed = 1);

/// <summary>The network can't be what it was asked to be.</summary>
[GenerateSerializer, Alias("session.NetworkPlanException")]
public sealed class NetworkPlanException : Exception
{
    /// <summary>With the default message.</summary>
    public NetworkPlanException()
    {
    }

    /// <summary>With a message for the operator.</summary>
    public NetworkPlanException(string message)
        : base(message)
    {
    }

    /// <summary>With a message for the operator and the cause.</summary>
    public NetworkPlanException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
