using System.Text.RegularExpressions;

namespace Session.Orleans.Observability.Tests;

/// <summary>What a process tells at <c>/metrics</c>.</summary>
internal sealed partial class Exposition
{
    private Exposition(Dictionary<string, string> types, ILookup<string, string> samples) => (Types, Samples) = (types, samples);

    /// <summary>Types by family.</summary>
    public IReadOnlyDictionary<string, string> Types { get; }

    /// <summary>Labels of all samples by the sample's name.</summary>
    public ILookup<string, string> Samples { get; }

    public static async Task<Exposition> ReadAsync(HttpClient http, Uri address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, "/metrics"));
        request.Headers.Add("Accept", "application/openmetrics-text; version=1.0.0");
        using var response = await http.SendAsync(request);
        Assert.Equal(200, (int)response.StatusCode);
        var lines = (await response.Content.ReadAsStringAsync()).Split('\n');
        return new(
            lines.Where(line => line.StartsWith("# TYPE ", StringComparison.Ordinal)).Select(line => line.Split(' ')).ToDictionary(parts => parts[2], parts => parts[3]),
            lines.Where(line => line.Length > 0 && line[0] != '#').Select(line => Sample().Match(line)).ToLookup(match => match.Groups["name"].Value, match => match.Groups["labels"].Value));
    }

    /// <summary>Series of an instrument: a histogram's buckets count as one.</summary>
    public int SeriesOf(string family) => Types[family] switch
    {
        "histogram" => Samples[family + "_count"].Count(),
        "counter" => Samples[family + "_total"].Count(),
        _ => Samples[family].Count(),
    };

    [GeneratedRegex("^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\\{(?<labels>.*?)\\})? ")]
    private static partial Regex Sample();
}
