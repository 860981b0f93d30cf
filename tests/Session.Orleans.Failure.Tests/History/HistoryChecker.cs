namespace Session.Orleans.Failure.Tests.History;

/// <summary>
/// Judges what clients saw of mailboxes, after everything: their stores, what a reader that was there all the time got page by page, and what is
/// in the mailboxes at the end.
/// </summary>
internal static class HistoryChecker
{
    /// <summary>Everything that must not have happened; empty if all is well.</summary>
    /// <param name="stores">Every store that was begun.</param>
    /// <param name="read">What each mailbox's reader got over the time, one page after the other, by the hash of the last message.</param>
    /// <param name="final">The whole content of each mailbox at the end, read at once.</param>
    public static IReadOnlyList<Violation> Judge(IEnumerable<StoreOperation> stores, IEnumerable<Reading> read, IEnumerable<Reading> final)
    {
        var violations = new List<Violation>();
        var reads = read.ToDictionary(reading => reading.Mailbox, reading => reading.Messages);
        var contents = final.ToDictionary(reading => reading.Mailbox, reading => reading.Messages);
        var sent = stores.ToLookup(store => store.Mailbox);
        foreach (var mailbox in sent.Select(group => group.Key).Union(contents.Keys))
        {
            var content = contents.GetValueOrDefault(mailbox) ?? [];
            JudgeContent(mailbox, [.. sent[mailbox]], content, violations);
            if (reads.TryGetValue(mailbox, out var seen))
                JudgeReader(mailbox, seen, content, violations);
        }

        return violations;
    }

    private static void JudgeContent(string mailbox, StoreOperation[] stores, IReadOnlyList<string> content, List<Violation> violations)
    {
        foreach (var (message, count) in content.CountBy(message => message))
        {
            if (count > 1)
                violations.Add(new(ViolationKind.Duplicated, mailbox, message, $"is there {count} times"));
        }

        var places = new Dictionary<string, int>();
        for (var i = 0; i < content.Count; i++)
            _ = places.TryAdd(content[i], i);
        var known = new HashSet<string>();
        foreach (var store in stores)
        {
            _ = known.Add(store.Message);
            if (store.Outcome is StoreOutcome.Acknowledged && !places.ContainsKey(store.Message))
                violations.Add(new(ViolationKind.Lost, mailbox, store.Message, "was acknowledged and is not there"));
            if (store.Outcome is StoreOutcome.Refused && places.ContainsKey(store.Message))
                violations.Add(new(ViolationKind.Phantom, mailbox, store.Message, "was refused and is there"));
        }

        foreach (var message in places.Keys)
        {
            if (!known.Contains(message))
                violations.Add(new(ViolationKind.Phantom, mailbox, message, "was never sent and is there"));
        }

        JudgeOrder(mailbox, [.. stores.Where(store => places.ContainsKey(store.Message))], places, violations);
    }

    /// <summary>What was acknowledged before another message was begun stands before it. Messages that overlapped may stand either way.</summary>
    private static void JudgeOrder(string mailbox, StoreOperation[] present, Dictionary<string, int> places, List<Violation> violations)
    {
        var byStart = present.OrderBy(store => store.Start).ToArray();
        var ended = new Queue<StoreOperation>(present.Where(store => store.Outcome is StoreOutcome.Acknowledged).OrderBy(store => store.End));
        StoreOperation? furthest = null; // of those that had ended, the one that stands last
        foreach (var store in byStart)
        {
            while (ended.TryPeek(out var earlier) && earlier.End < store.Start)
            {
                _ = ended.Dequeue();
                if (furthest is null || places[earlier.Message] > places[furthest.Message])
                    furthest = earlier;
            }

            if (furthest is not null && places[furthest.Message] > places[store.Message])
                violations.Add(new(ViolationKind.Reordered, mailbox, store.Message, $"stands before '{furthest.Message}', which was acknowledged before it was sent"));
        }
    }

    /// <summary>A reader that goes on from the last message it got must have got each once, and in the mailbox's order.</summary>
    private static void JudgeReader(string mailbox, IReadOnlyList<string> seen, IReadOnlyList<string> content, List<Violation> violations)
    {
        var places = new Dictionary<string, int>();
        for (var i = 0; i < content.Count; i++)
            _ = places.TryAdd(content[i], i);
        var last = -1;
        var got = new HashSet<string>();
        foreach (var message in seen)
        {
            if (!got.Add(message))
                violations.Add(new(ViolationKind.Duplicated, mailbox, message, "reached the reader twice"));
            else if (!places.TryGetValue(message, out var place))
                violations.Add(new(ViolationKind.Lost, mailbox, message, "reached the reader and is not there any more"));
            else if (place < last)
                violations.Add(new(ViolationKind.Reordered, mailbox, message, $"reached the reader after '{content[last]}', behind which it stands"));
            else
                last = place;
        }

        foreach (var message in content.Distinct())
        {
            if (!got.Contains(message))
                violations.Add(new(ViolationKind.Lost, mailbox, message, "is there and never reached the reader"));
        }
    }
}

/// <summary>How a promise was broken.</summary>
public enum ViolationKind
{
    /// <summary>A message is gone, or passed a reader by.</summary>
    Lost,

    /// <summary>A message is there, or came, more than once.</summary>
    Duplicated,

    /// <summary>Messages are not in the order in which they were stored.</summary>
    Reordered,

    /// <summary>A message is there that nobody sent or that was refused.</summary>
    Phantom,
}

/// <summary>A promise that was broken.</summary>
/// <param name="Kind">How.</param>
/// <param name="Mailbox">In whose mailbox.</param>
/// <param name="Message">Which message.</param>
/// <param name="Text">What happened, as the end of a sentence that begins with the message.</param>
internal sealed record Violation(ViolationKind Kind, string Mailbox, string Message, string Text)
{
    public override string ToString() => $"{Kind}: '{Message}' {Text} (mailbox {Mailbox[..8]})";
}
