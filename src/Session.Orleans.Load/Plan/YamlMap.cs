using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Session.Orleans.Load.Plan;

/// <summary>A mapping of a YAML file, read strictly: what is not asked for is an error, with its place.</summary>
internal sealed class YamlMap
{
    private readonly string _file;
    private readonly YamlMappingNode _node;
    private readonly Dictionary<string, YamlNode> _values = [];

    /// <summary>The mapping at <paramref name="node"/>, whose keys must be among <paramref name="keys"/>.</summary>
    public YamlMap(string file, YamlNode node, string what, IReadOnlyList<string> keys)
    {
        _file = file;
        What = what;
        _node = node as YamlMappingNode ?? throw Error(node, $"{what} must be a mapping of {string.Join(", ", keys)}.");
        foreach (var (key, value) in _node.Children)
        {
            if (key is not YamlScalarNode { Value: { } name } || !keys.Contains(name))
                throw Error(key, $"{what} has no key '{key}'; its keys are {string.Join(", ", keys)}.");
            _values[name] = value;
        }
    }

    /// <summary>The only document of a file.</summary>
    /// <exception cref="YamlFormatException">It is not YAML, or not one document.</exception>
    public static YamlNode Load(TextReader text, string file, string what)
    {
        var yaml = new YamlStream();
        try
        {
            yaml.Load(text);
        }
        catch (YamlException exception)
        {
            var hint = exception.Message.Contains("block scalar", StringComparison.Ordinal) ? " A value that begins with > needs quotes: \"> 95%\"." : "";
            throw new YamlFormatException(file, exception.Start, $"This is not YAML: {exception.Message.ReplaceLineEndings(" ").TrimEnd('.')}.{hint}");
        }
        catch (InvalidOperationException)
        {
            // The parser's own answer to a few slips with brackets, without a place.
            throw new YamlFormatException(file, 1, 1, "This is not YAML: brackets and braces do not match.");
        }

        return yaml.Documents.Count == 1 ? yaml.Documents[0].RootNode : throw new YamlFormatException(file, 1, 1, $"{what} has exactly one document.");
    }

    public string What { get; }

    public YamlNode Node => _node;

    public IEnumerable<string> Keys => _values.Keys;

    public bool Has(string key) => _values.ContainsKey(key);

    /// <summary>The place of a key's value.</summary>
    public YamlNode At(string key) => _values[key];

    public YamlNode Require(string key) =>
        _values.TryGetValue(key, out var value) ? value : throw Error(_node, $"{What} needs '{key}'.");

    public string? Text(string key) => _values.TryGetValue(key, out var value) ? Scalar(value, key, "a text") : null;

    public int? Number(string key, int least, int most)
    {
        if (!_values.TryGetValue(key, out var value))
            return null;
        var form = string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}");
        return value is YamlScalarNode { Style: ScalarStyle.Plain, Value: { } text }
            && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number : throw Wrong(value, key, form);
    }

    public double? Decimal(string key, double least, double most)
    {
        if (!_values.TryGetValue(key, out var value))
            return null;
        var form = string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}");
        return value is YamlScalarNode { Style: ScalarStyle.Plain, Value: { } text }
            && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number : throw Wrong(value, key, form);
    }

    public bool Flag(string key) => _values.TryGetValue(key, out var value) && (value is YamlScalarNode { Style: ScalarStyle.Plain, Value: "true" or "false" } flag
        ? flag.Value is "true" : throw Wrong(value, key, "true or false"));

    public TimeSpan? Duration(string key, bool signed = false)
    {
        if (!_values.TryGetValue(key, out var value))
            return null;
        return Quantities.TryParseDuration(Scalar(value, key, Quantities.DurationForm), out var duration, signed)
            ? duration : throw Wrong(value, key, Quantities.DurationForm);
    }

    public TimeSpan? PositiveDuration(string key) =>
        Duration(key) is { } duration ? duration > TimeSpan.Zero ? duration : throw Error(At(key), $"'{key}' must be more than 0.") : null;

    public double? Share(string key) => Quantity<double>(key, Quantities.ShareForm, Quantities.TryParseShare);

    public long? Bandwidth(string key) => Quantity<long>(key, Quantities.BandwidthForm, Quantities.TryParseBandwidth);

    public long? Size(string key) => Quantity<long>(key, "a size such as 500B or 2kB", Quantities.TryParseSize);

    public double? Rate(string key) => Quantity<double>(key, "a rate such as 10/s or 30/m", Quantities.TryParseRate);

    /// <summary>A list, or one text that stands for a list of one.</summary>
    public IReadOnlyList<string>? Texts(string key)
    {
        if (!_values.TryGetValue(key, out var value))
            return null;
        return value is YamlSequenceNode list ? [.. list.Select(item => Scalar(item, key, "a text or a list of them"))] : [Scalar(value, key, "a text or a list of them")];
    }

    public IReadOnlyList<YamlNode> List(string key)
    {
        if (!_values.TryGetValue(key, out var value))
            return [];
        return value is YamlSequenceNode { Children.Count: > 0 } list ? [.. list.Children] : throw Error(value, $"'{key}' must be a list with at least one entry.");
    }

    public YamlFormatException Error(YamlNode where, string message) => new(_file, where.Start, message);

    private delegate bool Parse<T>(string text, out T value);

    private T? Quantity<T>(string key, string form, Parse<T> parse)
        where T : struct
    {
        if (!_values.TryGetValue(key, out var value))
            return null;
        return parse(Scalar(value, key, form), out var quantity) ? quantity : throw Wrong(value, key, form);
    }

    private string Scalar(YamlNode node, string key, string form) =>
        node is YamlScalarNode { Value: { Length: > 0 } text } scalar && !(scalar.Style is ScalarStyle.Plain && text is "null" or "~") ? text : throw Wrong(node, key, form);

    private YamlFormatException Wrong(YamlNode node, string key, string form) => Error(node,
        $"'{key}' must be {form}, not {node switch { YamlScalarNode { Value: { Length: > 0 } text } => $"'{text}'", YamlScalarNode => "empty", YamlSequenceNode => "a list", _ => "a mapping" }}.");
}
