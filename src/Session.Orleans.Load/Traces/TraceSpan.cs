namespace Session.Orleans.Load.Traces;

/// <summary>A part of a traced request, as the network tells of it.</summary>
/// <param name="Trace">Trace id.</param>
/// <param name="Id">Span id.</param>
/// <param name="Parent">Id of the span around it; 0 if there is none.</param>
/// <param name="Part">What it is: its name, with the number of the hop.</param>
/// <param name="Start">Beginning, ns since 1970 by the clock of whoever tells.</param>
/// <param name="End">End, ns since 1970.</param>
/// <param name="EndsPath">True for the node that carries a request out, or passes it on to a server outside the network.</param>
internal readonly record struct TraceSpan(UInt128 Trace, ulong Id, ulong Parent, string Part, long Start, long End, bool EndsPath)
{
    /// <summary>How long it took, in ns.</summary>
    public long Length => Math.Max(0, End - Start);
}
