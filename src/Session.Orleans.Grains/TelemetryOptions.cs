using System.ComponentModel.DataAnnotations;

namespace Session.Orleans.Grains;

/// <summary>What a process tells about itself, besides the <c>OTEL_*</c> variables of the OpenTelemetry specification.</summary>
public sealed class TelemetryOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Telemetry";

    /// <summary>False makes no metrics at all: nothing at <c>/metrics</c>, and no figures over OTLP.</summary>
    public bool Metrics { get; set; } = true;

    /// <summary>
    /// True: one trace per request, from the gateway to the store. False: each hop is a trace of its own, with a link to the hop before it:
    /// no single trace shows who asked whom, though whoever has all of them can follow the links.
    /// </summary>
    public bool LinkHops { get; set; } = true;

    /// <summary>Share of requests that are traced, unless their client says which; 1 leaves the choice to a collector that knows how they ended.</summary>
    [Range(0, 1, ErrorMessage = "Telemetry:SamplingRatio must be between 0 and 1.")]
    public double SamplingRatio { get; set; } = 1;

    /// <summary>How often one process of the cluster counts what the store holds; zero never does. A count that takes long is made less often.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00", ErrorMessage = "Telemetry:CensusInterval must be between 0 s and a day.")]
    public TimeSpan CensusInterval { get; set; } = TimeSpan.FromSeconds(30);
}
