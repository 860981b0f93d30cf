using System.Text.Json;
using System.Text.Json.Serialization;
using Session.Orleans.Chain.PeerTests;

namespace Session.Orleans.Chain.Snapshots;

/// <summary>
/// A node that was found failing. In JSON an array of five numbers: slot, first height, last height, last tick, count; when a hundred of 500
/// nodes are down there are 40,000 of them.
/// </summary>
/// <param name="Slot">Slot of the node.</param>
/// <param name="Failure">What its tester remembers.</param>
[JsonConverter(typeof(Converter))]
public sealed record FailureSnapshot(int Slot, PeerFailure Failure)
{
    internal sealed class Converter : JsonConverter<FailureSnapshot>
    {
        public override FailureSnapshot Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            if (reader.TokenType is not JsonTokenType.StartArray)
                throw new JsonException("A failure is an array of five numbers.");
            var slot = (int)Number(ref reader);
            var failure = new PeerFailure(Number(ref reader), Number(ref reader), (int)Number(ref reader), (int)Number(ref reader));
            return reader.Read() && reader.TokenType is JsonTokenType.EndArray
                ? new(slot, failure) : throw new JsonException("A failure is an array of five numbers.");
        }

        public override void Write(Utf8JsonWriter writer, FailureSnapshot value, JsonSerializerOptions options)
        {
            writer.WriteStartArray();
            writer.WriteNumberValue(value.Slot);
            writer.WriteNumberValue(value.Failure.FirstHeight);
            writer.WriteNumberValue(value.Failure.LastHeight);
            writer.WriteNumberValue(value.Failure.LastTick);
            writer.WriteNumberValue(value.Failure.Count);
            writer.WriteEndArray();
        }

        private static long Number(ref Utf8JsonReader reader) =>
            reader.Read() && reader.TokenType is JsonTokenType.Number && reader.TryGetInt64(out var number)
                ? number : throw new JsonException("A failure is an array of five numbers.");
    }
}
