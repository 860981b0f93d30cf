using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client;

/// <summary>What a client does about an answer (onion-requests.md, 8).</summary>
public enum ErrorReaction
{
    /// <summary>Nothing is wrong.</summary>
    Done,

    /// <summary>The request itself is wrong: nobody is blamed, and repeating it changes nothing.</summary>
    ReturnToCaller,

    /// <summary>A signature or a right was refused: stop.</summary>
    Unauthorized,

    /// <summary>The clock is wrong: stop.</summary>
    ClockOutOfSync,

    /// <summary>The account is in another swarm: learn which, and try there.</summary>
    WrongSwarm,

    /// <summary>The named node is unknown to its neighbour: drop it from pool, swarm and path at once, and try again.</summary>
    DropNode,

    /// <summary>Something on the path fails: a strike against the path and all its nodes but the guard, and try again.</summary>
    PathFailure,

    /// <summary>The destination fails: a strike against it, and try again elsewhere.</summary>
    DestinationFailure,

    /// <summary>Nobody knows who damaged the reply: try again without blaming.</summary>
    Unreadable,

    /// <summary>The outside server can't be reached: stop, the path is fine.</summary>
    ServerUnreachable,

    /// <summary>Stop without a retry.</summary>
    Stop,
}

/// <summary>The tables of onion-requests.md, 8, and nothing else: which answer means which reaction.</summary>
public static class ErrorReactions
{
    /// <summary>Strikes after which a path or a node is dropped.</summary>
    public const int Threshold = 3;

    private const string UnknownNodePrefix = "Next node not found: ";
    private const string FinalError = "Oxen Server error";

    /// <summary>The reaction to the guard's HTTP answer.</summary>
    /// <param name="status">HTTP status; 0 for no answer in time or no connection.</param>
    /// <param name="body">The body as text.</param>
    /// <param name="toServer">The request was for a server outside the network.</param>
    /// <param name="unknown">The node to drop, for <see cref="ErrorReaction.DropNode"/>.</param>
    public static ErrorReaction ForHttp(int status, string body, bool toServer, out Ed25519PublicKey unknown)
    {
        unknown = default;
        if (status == 200)
            return ErrorReaction.Done;
        if (body == FinalError)
            return ErrorReaction.Stop;
        if (status is 406 or 425)
            return ErrorReaction.ClockOutOfSync;
        if (status == 421)
            return ErrorReaction.WrongSwarm;
        if (body.StartsWith(UnknownNodePrefix, StringComparison.Ordinal)
            && Ed25519PublicKey.TryParseHex(body.AsSpan(UnknownNodePrefix.Length).TrimEnd(), out unknown))
            return ErrorReaction.DropNode;
        return toServer && status == 502 ? ErrorReaction.ServerUnreachable : ErrorReaction.PathFailure;
    }

    /// <summary>The reaction to the status inside a decrypted reply of a node, or of one request of a batch.</summary>
    public static ErrorReaction ForStorage(int status) => status switch
    {
        200 => ErrorReaction.Done,
        400 => ErrorReaction.ReturnToCaller,
        401 => ErrorReaction.Unauthorized,
        406 or 425 => ErrorReaction.ClockOutOfSync,
        421 => ErrorReaction.WrongSwarm,
        _ => ErrorReaction.DestinationFailure,
    };
}
