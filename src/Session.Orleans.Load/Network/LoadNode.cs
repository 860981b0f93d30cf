using Session.Orleans.Client;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Load.Network;

/// <summary>A service node, made once and shared by all users.</summary>
/// <param name="address">As the network describes it.</param>
/// <param name="root">Where its HTTP surface is; ends with a slash.</param>
internal sealed class LoadNode(SnodeAddress address, Uri root)
{
    private volatile bool _isGone;

    /// <summary>Keys and advertised address.</summary>
    public SnodeAddress Address { get; } = address;

    /// <summary>Its place on a path.</summary>
    public OnionHop Hop { get; } = new(address.Ed25519, address.X25519);

    /// <summary>Where it takes onion requests.</summary>
    public Uri OnionUrl { get; } = new(root, "onion_req/v2");

    /// <summary>True once another node did not know it: it has left the network.</summary>
    public bool IsGone
    {
        get => _isGone;
        set => _isGone = value;
    }
}

/// <summary>A swarm as some node described it; accounts of one swarm share it.</summary>
/// <param name="Id">Its id in hex.</param>
/// <param name="Members">Its members, at least one.</param>
internal sealed record LoadSwarm(string Id, LoadNode[] Members)
{
    /// <summary>Position of a member; -1 if it is none.</summary>
    public int IndexOf(LoadNode node) => Array.IndexOf(Members, node);
}

/// <summary>An account's mailbox, and its swarm as far as known. One per account, whoever writes or reads.</summary>
/// <param name="account">The account.</param>
internal sealed class Mailbox(Protocol.Identity.AccountId account)
{
    private volatile LoadSwarm? _swarm;

    /// <summary>Whose it is.</summary>
    public Protocol.Identity.AccountId Account { get; } = account;

    /// <summary>Its swarm; null if it has to be asked for.</summary>
    public LoadSwarm? Swarm
    {
        get => _swarm;
        set => _swarm = value;
    }
}
