using System.Diagnostics;

namespace Session.Orleans.Grains;

/// <summary>
/// Carries the current span from the caller of a grain to the grain. Orleans' own propagation carries a context only together with its own
/// spans, two more for every call: a listener to nothing but this project's spans would get each of them in a trace of its own. It also
/// adds call filters, which every call pays for whether anybody listens or not. This costs nothing while nobody listens, and next to nothing
/// for a request that is not sampled.
/// </summary>
public static class TraceContext
{
    // Of the request context, which travels with every grain call.
    private const string Key = "session.traceparent";

    /// <summary>
    /// Makes <paramref name="activity"/> the parent of what grains do that are called from here on, if anybody wants to see it: it is sampled, or a
    /// listener of this process looks on, whose wish the sampled flag does not tell to exporters.
    /// </summary>
    /// <remarks>Holds until the calling <c>async</c> method returns.</remarks>
    public static Activity? Carry(this Activity? activity)
    {
        if (activity is { IsAllDataRequested: true, Id: { } id })
            RequestContext.Set(Key, id);
        return activity;
    }

    /// <summary>
    /// Starts a span at a grain's door: a child of the caller's span, wherever the caller runs. None without one: whether a request is sampled is
    /// decided at the gateway, and a grain on another silo can't tell a request that isn't from the beginning of one.
    /// </summary>
    internal static Activity? StartInGrain(this ActivitySource source, string name) =>
        source.HasListeners() && TryGetCaller(out var caller) ? source.StartActivity(name, ActivityKind.Internal, caller) : null;

    /// <summary>The same, but the span begins a trace of its own that links to the caller's span.</summary>
    internal static Activity? StartLinkedInGrain(this ActivitySource source, string name)
    {
        if (!source.HasListeners() || !TryGetCaller(out var caller))
            return null;
        // A span without a parent is one of no current span. If nobody wants this one, what follows must not be joined to the caller's either.
        Activity.Current = null;
        RequestContext.Remove(Key);
        return source.StartActivity(name, ActivityKind.Internal, parentContext: default, links: [new(caller)]);
    }

    private static bool TryGetCaller(out ActivityContext caller)
    {
        if (RequestContext.Get(Key) is string id && ActivityContext.TryParse(id, traceState: null, isRemote: true, out caller))
            return true;
        caller = default;
        if (Activity.Current is not { IsAllDataRequested: true } current)
            return false;
        caller = current.Context;
        return true;
    }
}
