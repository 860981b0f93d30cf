using System.Text.Json;

namespace Session.Orleans.Protocol.Tests;

/// <summary>Test vectors, read from the copy in tests/vectors.</summary>
internal static class Vectors
{
    /// <summary>Parses one vector file, for example <c>keys.json</c>.</summary>
    public static JsonElement Load(string file)
    {
        using var stream = File.OpenRead(Path.Combine(AppContext.BaseDirectory, "vectors", file));
        using var document = JsonDocument.Parse(stream);
        return document.RootElement.Clone();
    }

    /// <summary>The bytes of a member in hex.</summary>
    public static byte[] Hex(this JsonElement element, string name) => Convert.FromHexString(element.GetProperty(name).GetString()!);

    /// <summary>The bytes of a member in padded base64.</summary>
    public static byte[] Base64(this JsonElement element, string name) => Convert.FromBase64String(element.GetProperty(name).GetString()!);

    /// <summary>The text of a member.</summary>
    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
