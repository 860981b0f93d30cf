using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;

namespace Session.Orleans.Client;

/// <summary>Members of JSON that a stranger wrote: absent and mistyped ones are the same.</summary>
internal static class JsonReading
{
    public static bool TryText(this JsonElement element, string name, [NotNullWhen(true)] out string? text)
    {
        text = element.ValueKind is JsonValueKind.Object && element.TryGetProperty(name, out var member) && member.ValueKind is JsonValueKind.String
            ? member.GetString() : null;
        return text is not null;
    }

    /// <summary>A number, also one written as text.</summary>
    public static bool TryNumber(this JsonElement element, string name, out long number)
    {
        number = 0;
        return element.ValueKind is JsonValueKind.Object && element.TryGetProperty(name, out var member)
            && (member.ValueKind is JsonValueKind.Number ? member.TryGetInt64(out number)
                : member.ValueKind is JsonValueKind.String && long.TryParse(member.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out number));
    }

    public static bool TryList(this JsonElement element, string name, out JsonElement list) =>
        (list = element.ValueKind is JsonValueKind.Object && element.TryGetProperty(name, out var member) ? member : default).ValueKind is JsonValueKind.Array;
}
