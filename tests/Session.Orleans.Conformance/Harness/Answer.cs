using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Session.Orleans.Conformance.Harness;

/// <summary>What the network said to one request. Its checks fail with the request, what the section expects, and what came.</summary>
/// <param name="Request">The request, for people.</param>
/// <param name="Status">Status of the reply; in an onion the one inside the encryption.</param>
/// <param name="ContentType">The HTTP header; null inside an onion, which has none.</param>
/// <param name="Body">The reply.</param>
internal sealed record Answer(string Request, int Status, string? ContentType, byte[] Body)
{
    private const int Shown = 600;

    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>An error: status and exact text.</summary>
    public void ShouldBe(int status, string text)
    {
        if (Status != status || Text != text || ContentType is not (null or "text/plain"))
            throw Failure(string.Create(CultureInfo.InvariantCulture, $"{status} text/plain: {text}"));
    }

    /// <summary>An error of a malformed request.</summary>
    public void ShouldBeInvalid(string text) => ShouldBe(400, "invalid request: " + text);

    /// <summary>A status, whatever the body.</summary>
    public void ShouldHaveStatus(int status)
    {
        if (Status != status)
            throw Failure(string.Create(CultureInfo.InvariantCulture, $"status {status}"));
    }

    /// <summary>A JSON object with a status.</summary>
    public JsonElement ShouldBeJson(int status = 200)
    {
        var expected = string.Create(CultureInfo.InvariantCulture, $"{status} application/json: an object");
        if (Status != status || ContentType is not (null or "application/json"))
            throw Failure(expected);
        try
        {
            var json = JsonElement.Parse(Body);
            return json.ValueKind is JsonValueKind.Object ? json : throw Failure(expected);
        }
        catch (JsonException)
        {
            throw Failure(expected);
        }
    }

    /// <summary>Anything else that a rule expects of this answer.</summary>
    public void Should(bool holds, string expected)
    {
        if (!holds)
            throw Failure(expected);
    }

    public static string Shorten(string text) =>
        text.Length <= Shown ? text : string.Create(CultureInfo.InvariantCulture, $"{text[..Shown]}... ({text.Length} characters)");

    private ConformanceException Failure(string expected)
    {
        var sections = TestContext.Current.Test?.Traits.TryGetValue(SectionAttribute.Trait, out var values) is true ? string.Join(", ", values) : "";
        return new($"""
            {sections}
              request   {Request}
              expected  {Shorten(expected)}
              got       {Status} {ContentType ?? "(in the onion)"}: {Shorten(Text)}
            """);
    }
}

/// <summary>A rule that does not hold.</summary>
public sealed class ConformanceException(string message) : Exception(message), Xunit.Sdk.IAssertionException;
