using System.Diagnostics;
using System.Diagnostics.Metrics;
using Session.Orleans.Protocol.StorageRpc;
using Session.Orleans.Storage;

namespace Session.Orleans.Grains;

/// <summary>
/// Metrics of hops, storage RPC, mailboxes, rooms and names. Tags come from closed sets: hop numbers, methods, classes of namespaces, results.
/// </summary>
public sealed class GrainsMetrics
{
    /// <summary>Name of the meter, which is the assembly's.</summary>
    public const string MeterName = "Session.Orleans.Grains";

    /// <summary>Hop numbers from this one on are counted as this one: paths are three hops and a destination long.</summary>
    public const int LastHop = 5;

    // A local hop takes some 100 µs; a node waits 30 s for the next one.
    private static readonly InstrumentAdvice<double> Durations = new()
    {
        HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    };

    private const string Reason = "session.reason";

    private static readonly InstrumentAdvice<long> Sizes = new() { HistogramBucketBoundaries = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 76800] };

    private readonly Histogram<double> _hops;
    private readonly Histogram<double> _rpcs;
    private readonly Histogram<double> _mailboxes;
    private readonly Histogram<double> _rooms;
    private readonly Histogram<long> _sizes;
    private readonly Counter<long> _polls;
    private readonly Counter<long> _stored;
    private readonly KindCounter _removed;
    private readonly KindCounter _memberFailures;
    private readonly Counter<long> _names;
    private long _expired;
    private long _missing;

    /// <summary>Makes the instruments.</summary>
    public GrainsMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = meters.Create(MeterName);
        _hops = meter.CreateHistogram("session.hop.duration", "s", "Onion layers, from their arrival at a node to its answer, with all hops that follow", advice: Durations);
        _rpcs = meter.CreateHistogram("session.rpc.duration", "s", "Storage RPCs at their destination; a batch is one", advice: Durations);
        _mailboxes = meter.CreateHistogram(
            "session.mailbox.duration", "s", "Operations of mailboxes, with the wait for their turn; polls answered from memory are not among them", advice: Durations);
        _rooms = meter.CreateHistogram("session.room.duration", "s", "Changes of community rooms, with the wait for their turn", advice: Durations);
        _sizes = meter.CreateHistogram("session.mailbox.message.size", "By", "Payloads of stored messages", advice: Sizes);
        _polls = meter.CreateCounter<long>("session.mailbox.polls", "{poll}", "Polls by what they found");
        _stored = meter.CreateCounter<long>("session.mailbox.stored", "{message}", "Messages that clients asked to store, by what became of them");
        _removed = new(meter, "session.mailbox.removed", "{message}", "Messages that were deleted, or replaced by a newer one", Reason, "deleted", "replaced");
        _ = meter.CreateObservableCounter(
            "session.mailbox.expired", () => Volatile.Read(ref _expired), "{message}", "Messages whose end a mailbox in memory has noticed; the store drops others by itself");
        _ = meter.CreateObservableCounter(
            "session.mailbox.missing", () => Volatile.Read(ref _missing), "{message}", "Live messages whose payload the store did not have when a client asked for it, each time");
        _memberFailures = new(meter, "session.swarm.member.failures", "{member}", "Swarm members that did not take part in a swarm-wide request",
            Reason, "timeout", "bad_response", "query_failure", "refused");
        _names = meter.CreateCounter<long>("session.names.operations", "{operation}", "Operations on names");
    }

    /// <summary>Now, for a duration that is told later; zero while nobody wants to know.</summary>
    internal long Now => _hops.Enabled ? Stopwatch.GetTimestamp() : 0;

    internal void Hop(int number, string instruction, string result, long startedAt) => Record(
        _hops, startedAt, new(GrainsTelemetry.HopNumber, HopNames[Math.Clamp(number, 1, LastHop)]), new(GrainsTelemetry.Instruction, instruction),
        new(GrainsTelemetry.Result, result));

    internal void Rpc(string method, int status, long startedAt) => Record(
        _rpcs, startedAt, new(GrainsTelemetry.Method, method), new(GrainsTelemetry.Result, ResultOf(status)));

    internal void Mailbox(string operation, MailboxOutcome outcome, long startedAt) => Record(
        _mailboxes, startedAt, new(GrainsTelemetry.Method, operation),
        new(GrainsTelemetry.Result, outcome switch { MailboxOutcome.Done => "ok", MailboxOutcome.Revoked => "revoked", _ => "failed" }));

    internal void Room(int status, long startedAt)
    {
        if (startedAt != 0)
            _rooms.Record(Stopwatch.GetElapsedTime(startedAt).TotalSeconds, new KeyValuePair<string, object?>(GrainsTelemetry.Result, ResultOf(status)));
    }

    internal void Poll(string result) => _polls.Add(1, new KeyValuePair<string, object?>(GrainsTelemetry.Result, result));

    internal void Stored(short @namespace, int bytes, StoreReceipt receipt)
    {
        var result = receipt.Outcome switch
        {
            MailboxOutcome.Done when receipt.AlreadyStored => "duplicate",
            MailboxOutcome.Done => "stored",
            MailboxOutcome.Revoked => "revoked",
            _ => "failed",
        };
        _stored.Add(1, new(GrainsTelemetry.Namespace, NamespaceClass.Of(@namespace)), new(GrainsTelemetry.Result, result));
        if (result is "stored")
            _sizes.Record(bytes);
    }

    internal void Removed(int count, string reason)
    {
        if (count > 0)
            _removed.Add(reason, count);
    }

    internal void Expired(int count)
    {
        if (count > 0)
            Interlocked.Add(ref _expired, count);
    }

    internal void Missing(int count) => Interlocked.Add(ref _missing, count);

    internal void MemberFailed(MemberFailureKind kind) => _memberFailures.Add(kind switch
    {
        MemberFailureKind.Timeout => "timeout",
        MemberFailureKind.BadResponse => "bad_response",
        MemberFailureKind.QueryFailure => "query_failure",
        _ => "refused",
    });

    internal void Name(string operation, bool succeeded) => _names.Add(
        1, new("session.operation", operation), new(GrainsTelemetry.Result, succeeded ? "ok" : "refused"));

    /// <summary>A status as a result: <c>ok</c>, <c>wrong_swarm</c>, <c>refused</c> or <c>failed</c>.</summary>
    internal static string ResultOf(int status) => status switch
    {
        < 400 => "ok",
        421 => "wrong_swarm",
        < 500 => "refused",
        _ => "failed",
    };

    private static readonly string[] HopNames = ["0", "1", "2", "3", "4", "5"];

    private static void Record(Histogram<double> histogram, long startedAt, KeyValuePair<string, object?> first, KeyValuePair<string, object?> second, KeyValuePair<string, object?> third)
    {
        if (startedAt != 0)
            histogram.Record(Stopwatch.GetElapsedTime(startedAt).TotalSeconds, first, second, third);
    }

    private static void Record(Histogram<double> histogram, long startedAt, KeyValuePair<string, object?> first, KeyValuePair<string, object?> second)
    {
        if (startedAt != 0)
            histogram.Record(Stopwatch.GetElapsedTime(startedAt).TotalSeconds, first, second);
    }
}

/// <summary>What an account's namespace is for: few enough for a metric's tag (storage-rpc.md, 5).</summary>
internal static class NamespaceClass
{
    /// <summary>The class of a namespace.</summary>
    public static string Of(short @namespace) => @namespace switch
    {
        Namespaces.Default => "messages",
        Namespaces.LegacyGroup => "legacy_group",
        >= 2 and <= 5 => "config",
        >= 11 and <= 14 => "group",
        _ when Namespaces.IsUnrevocable(@namespace) => "revoked",
        _ when Namespaces.IsPublicOutbox(@namespace) => "outbox",
        _ when Namespaces.IsPublicInbox(@namespace) => "inbox",
        _ => "other",
    };
}
