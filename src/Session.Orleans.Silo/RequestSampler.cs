using OpenTelemetry.Trace;

namespace Session.Orleans.Silo;

/// <summary>
/// Decides at the gateway which requests are traced: those whose client says so, and of the others a share, by their trace id. All that follows
/// goes with that decision, also a hop that begins a trace of its own and only links to the one before it.
/// </summary>
internal sealed class RequestSampler(double ratio) : Sampler
{
    private readonly ParentBasedSampler _byParent = new(new TraceIdRatioBasedSampler(ratio));

    public override SamplingResult ShouldSample(in SamplingParameters samplingParameters)
    {
        foreach (var link in samplingParameters.Links ?? [])
            return new(link.Context.TraceFlags.HasFlag(System.Diagnostics.ActivityTraceFlags.Recorded));
        return _byParent.ShouldSample(samplingParameters);
    }
}
