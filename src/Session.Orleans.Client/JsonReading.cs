using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Json;

namespace Session.Orleans.Client;

/// <summary>Members of JSON that a stranger wrote: absent and mistyped ones are the same.</summary>
internal static class JsonReading
{
    public static bool TryText(this JsonElement element, string name, [NotNullWhen(true)] out string? text)
    {
        text = element.TryMember(name, out var member) ? member.AsText() : null;
        return text is not null;
    }

    /// <summary>A member of an object. Names with half of a surrogate pair pass the parser, and would throw when they are compared.</summary>
    public static bool TryMember(this JsonElement element, string name, out JsonElement member)
    {
        member = default;
        try
        {
            return element.ValueKind is JsonValueKind.Object && element.TryGetProperty(name, out member);
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>The element's text; null if it is no string, or one with half of a surrogate pair, which the parser lets pass.</summary>
    public static string? AsText(this JsonElement element)
    {
        if (element.ValueKind is not JsonValueKind.String)
            return null;
        try
        {
            return element.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>A number, also one written as text.</summary>
    public static bool TryNumber(this JsonElement element, string name, out long number)
    {
        number = 0;
        return element.TryMember(name, out var member)
            && (member.ValueKind is JsonValueKind.Number ? member.TryGetInt64(out number)
                : long.TryParse(member.AsText(), NumberStyles.None, CultureInfo.InvariantCulture, out number));
    }

    public static bool TryList(this JsonElement element, string name, out JsonElement list) =>
        (list = element.TryMember(name, out var member) ? member : default).ValueKind is JsonValueKind.Array;
}
