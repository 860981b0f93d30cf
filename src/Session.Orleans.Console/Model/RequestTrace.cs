using System.Collections.Immutable;
using System.Globalization;
using Session.Orleans.ConsolePage.Watch;
using Session.Orleans.Gateway;
using Session.Orleans.Grains;
using Session.Orleans.Storage;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>A request and its way through the network.</summary>
/// <param name="Id">Trace id, 32 hex digits.</param>
/// <param name="At">When it came.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Title">What it was about: the method if it reached a node that could tell, or its path.</param>
/// <param name="Status">Status of the answer, or that none was sent; null if that is unknown.</param>
/// <param name="Failed">True if the client got no answer to its request: a network error, or an HTTP status of 400 or more.</param>
/// <param name="Hops">Nodes that removed an onion layer, as far as they are known.</param>
/// <param name="Steps">All steps that are known, each before those that it asked for; those of which nobody knows who asked for them come last.</param>
public sealed record RequestTrace(
    string Id, DateTime At, TimeSpan Duration, string Title, string? Status, bool Failed, int Hops, ImmutableArray<RequestStep> Steps)
{
    private const string NoAnswer = "no answer";

    /// <summary>True if there must have been steps that nobody has told of yet.</summary>
    internal bool HasGaps => Steps.Any(step => step.Gap is not StepGap.None);

    /// <summary>True if nobody will tell of them any more: their process did not answer, or traced them apart or not at all.</summary>
    public bool IsIncomplete { get; init; }

    /// <summary>Puts the spans of one request in order; null while the first step, which ends last, has not ended.</summary>
    internal static RequestTrace? Of(IReadOnlyCollection<SpanReading> spans)
    {
        if (spans.FirstOrDefault(span => span.IsDoor) is not { } door)
            return null;
        var children = spans.Where(span => span != door).OrderBy(span => span.Start).ToLookup(span => span.ParentId);
        var known = spans.Select(span => span.SpanId).ToHashSet();
        var steps = ImmutableArray.CreateBuilder<RequestStep>();
        Add(door, 0, isOrphan: false);
        foreach (var orphan in spans.Where(span => span != door && !known.Contains(span.ParentId)).OrderBy(span => span.Start))
            Add(orphan, 1, isOrphan: true);
        var ordered = steps.DrainToImmutable();

        var method = spans.FirstOrDefault(span => span.Name == GrainsTelemetry.RpcSpan) is { } rpc ? Tag(rpc, GrainsTelemetry.Method) : null;
        var toServer = spans.Any(span => Tag(span, GrainsTelemetry.Instruction) is "server");
        // A node's door that tells no status has sent no answer: its client has left.
        var status = StatusOf(door) ?? (Tag(door, GatewayTelemetry.NodeIndex) is null ? null : NoAnswer);
        var failed = door.Failed || spans.Any(span => span.Failed) || status is NoAnswer or [>= '4', ..];
        return new(
            door.TraceId, door.Start, door.Duration, method ?? (toServer ? "onion to a server" : door.Name), status, failed,
            ordered.Count(step => step.Hop is not null), ordered);

        void Add(SpanReading span, int depth, bool isOrphan)
        {
            var asked = children[span.SpanId].ToArray();
            // Steps that run at once, as those at several members of a swarm, are not taken off twice.
            var own = span.Duration - Covered(asked);
            var gap = isOrphan ? StepGap.Before : asked.Length == 0 && NeedsAnother(span) ? StepGap.After : StepGap.None;
            steps.Add(Describe(span, door, depth, own > TimeSpan.Zero ? own : TimeSpan.Zero, gap));
            foreach (var child in asked)
                Add(child, depth + 1, isOrphan: false);
        }
    }

    /// <summary>True for steps that can't have succeeded without asking for another.</summary>
    private static bool NeedsAnother(SpanReading span)
    {
        if (span.Failed || StatusOf(span) is not ['2', ..])
            return false;
        return span.Name switch
        {
            GatewayTelemetry.OnionSpan or GatewayTelemetry.RpcSpan or GatewayTelemetry.OmqSpan => true,
            GrainsTelemetry.HopSpan => Tag(span, GrainsTelemetry.Instruction) is "node" or "destination",
            GrainsTelemetry.RpcSpan => Tag(span, GrainsTelemetry.Method) is "store" or "retrieve", // of the mailbox
            _ => false,
        };
    }

    private static string? StatusOf(SpanReading span) =>
        Tag(span, GatewayTelemetry.HttpStatus) ?? Tag(span, GatewayTelemetry.RpcStatus) ?? Tag(span, GrainsTelemetry.Status);

    private static TimeSpan Covered(SpanReading[] spans)
    {
        var (sum, end) = (TimeSpan.Zero, DateTime.MinValue);
        foreach (var span in spans)
        {
            var (from, to) = (span.Start > end ? span.Start : end, span.Start + span.Duration);
            if (to > from)
                (sum, end) = (sum + (to - from), to);
        }

        return sum;
    }

    private static RequestStep Describe(SpanReading span, SpanReading door, int depth, TimeSpan own, StepGap gap)
    {
        int? hop = span.Name == GrainsTelemetry.HopSpan && int.TryParse(Tag(span, GrainsTelemetry.HopNumber), CultureInfo.InvariantCulture, out var number) ? number : null;
        var method = Tag(span, GrainsTelemetry.Method);
        var (name, does) = span.Name switch
        {
            _ when span.IsDoor => ("Gateway", span.Name),
            GrainsTelemetry.HopSpan => ($"Hop {hop}", Tag(span, GrainsTelemetry.Instruction) switch
            {
                "node" => "passes on",
                "destination" => "opens the last layer",
                "server" => "asks a server",
                "invalid" => "can't open its layer",
                { } other => other,
                null => "",
            }),
            GrainsTelemetry.RpcSpan => ("Destination", method ?? ""),
            GrainsTelemetry.MailboxSpan => ("Mailbox", method ?? ""),
            GrainsTelemetry.RoomSpan => ("Room", method ?? ""),
            _ => Tag(span, StorageTelemetry.OperationTag) is { } command ? ("Store", command) : (span.Name, method ?? ""),
        };
        return new(
            depth, name, does, hop,
            int.TryParse(Tag(span, GatewayTelemetry.NodeIndex), CultureInfo.InvariantCulture, out var index) ? index : null,
            Tag(span, GrainsTelemetry.Node), span.Start - door.Start, span.Duration, own,
            StatusOf(span), Tag(span, GrainsTelemetry.Fault), span.Failed, gap);
    }

    private static string? Tag(SpanReading span, string name)
    {
        foreach (var (tag, value) in span.Tags)
        {
            if (tag == name)
                return value;
        }

        return null;
    }
}

/// <summary>One step of a request.</summary>
/// <param name="Depth">How many steps led to it.</param>
/// <param name="Name">Where: gateway, a hop, destination, mailbox, store.</param>
/// <param name="Does">What happened there.</param>
/// <param name="Hop">Number of the hop, 1 for the guard; null if it is none.</param>
/// <param name="NodeIndex">The node the client came to; null for later steps.</param>
/// <param name="Node">First eight hex digits of the node's key; null if it is no node's step.</param>
/// <param name="Start">Time from the request's arrival. Silos on other machines have other clocks.</param>
/// <param name="Duration">How long it took, with all it asked for.</param>
/// <param name="Own">How long it took without that.</param>
/// <param name="Status">Status of its answer; null if it says none.</param>
/// <param name="Fault">Kinds of the node's faults; null if it has none.</param>
/// <param name="Failed">True if it ended with an error.</param>
/// <param name="Gap">Where steps are missing.</param>
public sealed record RequestStep(
    int Depth, string Name, string Does, int? Hop, int? NodeIndex, string? Node, TimeSpan Start, TimeSpan Duration, TimeSpan Own, string? Status,
    string? Fault, bool Failed, StepGap Gap);

/// <summary>Where a request's way is not known.</summary>
public enum StepGap
{
    /// <summary>Nothing is missing beside this step.</summary>
    None,

    /// <summary>Nobody has told of the step that asked for this one.</summary>
    Before,

    /// <summary>It has asked for a step that nobody has told of.</summary>
    After,
}
