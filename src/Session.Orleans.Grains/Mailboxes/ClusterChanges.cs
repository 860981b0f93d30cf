namespace Session.Orleans.Grains.Mailboxes;

/// <summary>
/// Tells mailboxes when the cluster has lately changed. Only then may two activations of one mailbox live side by side for a moment, and
/// only then is it worth asking the store on a poll whether somebody else has written.
/// </summary>
internal sealed class ClusterChanges : ISiloStatusListener, ILifecycleParticipant<ISiloLifecycle>
{
    // Failure detection, directory hand-over and the deactivation of duplicates are over well before.
    private static readonly TimeSpan Unsettled = TimeSpan.FromSeconds(60);

    private readonly ISiloStatusOracle _oracle;
    private readonly TimeProvider _time;
    private long _settledAt;
    private long _storeEpoch;

    public ClusterChanges(ISiloStatusOracle oracle, TimeProvider time)
    {
        _oracle = oracle;
        _time = time;
    }

    /// <summary>True for a minute after another silo joined, left or died.</summary>
    public bool AreRecent => _time.GetTimestamp() < Volatile.Read(ref _settledAt);

    /// <summary>Changes when all mailboxes have been replaced in the store: an index that was read before is of no use.</summary>
    public long StoreEpoch
    {
        get => Volatile.Read(ref _storeEpoch);
        set => Volatile.Write(ref _storeEpoch, value);
    }

    /// <summary>True while this silo stops.</summary>
    public bool IsLeaving => _oracle.CurrentStatus.IsTerminating();

    public void SiloStatusChangeNotification(SiloAddress updatedSilo, SiloStatus status)
    {
        if (!updatedSilo.Equals(_oracle.SiloAddress))
            Volatile.Write(ref _settledAt, _time.GetTimestamp() + (long)(Unsettled.TotalSeconds * _time.TimestampFrequency));
    }

    public void Participate(ISiloLifecycle observer) => observer.Subscribe<ClusterChanges>(ServiceLifecycleStage.RuntimeServices, _ =>
    {
        _oracle.SubscribeToSiloStatusEvents(this);
        return Task.CompletedTask;
    });
}
