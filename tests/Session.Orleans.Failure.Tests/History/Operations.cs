namespace Session.Orleans.Failure.Tests.History;

/// <summary>What a client knows of a message that it wanted stored.</summary>
internal enum StoreOutcome
{
    /// <summary>The swarm confirmed it: it must be there from now on.</summary>
    Acknowledged,

    /// <summary>The swarm refused it: it must never be there.</summary>
    Refused,

    /// <summary>No answer, or one that leaves it open: it may be there or not, once at most.</summary>
    Unknown,
}

/// <summary>One message of one sender, with all attempts to store it.</summary>
/// <param name="Mailbox">Whose mailbox it went to.</param>
/// <param name="Message">What it says; no two say the same.</param>
/// <param name="Start">When its first attempt began, by any clock that all share.</param>
/// <param name="End">When its last attempt ended.</param>
/// <param name="Outcome">What the client knows.</param>
internal sealed record StoreOperation(string Mailbox, string Message, long Start, long End, StoreOutcome Outcome);

/// <summary>Messages in the order in which a mailbox gave them.</summary>
/// <param name="Mailbox">Whose mailbox.</param>
/// <param name="Messages">From the oldest to the newest.</param>
internal sealed record Reading(string Mailbox, IReadOnlyList<string> Messages);
