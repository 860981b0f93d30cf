using System.Diagnostics;

namespace Session.Orleans.Grains;

/// <summary>
/// Carries the current span from the caller of a grain to the grain. Orleans' own propagation carries a context only together with its own
/// spans, two more for every call: a listener to nothing but this project's spans would get each of them in a trace of its own. It also
/// adds call filters, which every call pays for whether anybody listens or not. This costs nothing while nobody listens.
/// </summary>
public static class TraceContext
{
    // Of the request context, which travels with every grain call.
    private const string Key = "session.traceparent";

    /// <summary>Makes <paramref name="activity"/> the parent of what grains do that are called from here on.</summary>
    /// <remarks>Holds until the calling <c>async</c> method returns.</remarks>
    public static Activity? Carry(this Activity? activity)
    {
        if (activity?.Id is { } id)
            RequestContext.Set(Key, id);
        return activity;
    }

    /// <summary>Starts a span at a grain's door: a child of the caller's span, wherever the caller runs.</summary>
    internal static Activity? StartInGrain(this ActivitySource source, string name) =>
        !source.HasListeners() ? null
        : RequestContext.Get(Key) is string id && ActivityContext.TryParse(id, traceState: null, isRemote: true, out var parent)
            ? source.StartActivity(name, ActivityKind.Internal, parent)
            : source.StartActivity(name);
}
