using Session.Orleans.Client;

namespace Session.Orleans.Load.Network;

/// <summary>What came of one request.</summary>
/// <param name="Reaction">What a client does about it; <see cref="ErrorReaction.Done"/> if it was answered as wished.</param>
/// <param name="Error">Class of the failure, for counting; null for none. There are few of them: see <see cref="ErrorClass"/>.</param>
/// <param name="Body">The destination's answer: JSON, or a server's plaintext.</param>
internal readonly record struct Answer(ErrorReaction Reaction, string? Error, ReadOnlyMemory<byte> Body)
{
    /// <summary>True if there is an answer to work with.</summary>
    public bool IsDone => Reaction is ErrorReaction.Done;
}

/// <summary>Names of failures in results and metrics.</summary>
internal static class ErrorClass
{
    /// <summary>No answer within the limit.</summary>
    public const string Timeout = "timeout";

    /// <summary>The connection was refused or ended.</summary>
    public const string Connection = "connection";

    /// <summary>The reply can't be decrypted or read.</summary>
    public const string Unreadable = "unreadable";

    /// <summary>No member of the swarm confirmed a message.</summary>
    public const string Unconfirmed = "unconfirmed";

    /// <summary>The path has no node for the request.</summary>
    public const string NoPath = "no path";

    /// <summary>The load process had too many requests in flight to start another: the machine or the network is too slow for the rate.</summary>
    public const string Saturated = "saturated";

    /// <summary>A hop's or the guard's answer.</summary>
    public static string Http(int status) => FormattableString.Invariant($"http {status}");

    /// <summary>The destination's answer.</summary>
    public static string Status(int status) => FormattableString.Invariant($"status {status}");
}
