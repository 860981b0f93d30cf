using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using Google.Protobuf;

namespace Session.Orleans.Load.Traces;

/// <summary>
/// Reads spans from the body of an OTLP trace export (opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest). Of the many fields it
/// takes the few that say where time was spent.
/// </summary>
internal static class OtlpTraces
{
    private const string HopSpan = "session.hop", HopNumber = "session.hop", Instruction = "session.instruction";
    private const int TraceIdLength = 16, SpanIdLength = 8;

    // The number and the wire type of each field that is read, as protobuf writes them before a value.
    private const uint RequestResourceSpans = (1 << 3) | Bytes, ResourceScopeSpans = (2 << 3) | Bytes, ScopeSpansSpans = (2 << 3) | Bytes;
    private const uint SpanTraceId = (1 << 3) | Bytes, SpanId = (2 << 3) | Bytes, SpanParentId = (4 << 3) | Bytes, SpanName = (5 << 3) | Bytes;
    private const uint SpanStart = (7 << 3) | Fixed64, SpanEnd = (8 << 3) | Fixed64, SpanAttributes = (9 << 3) | Bytes;
    private const uint KeyValueKey = (1 << 3) | Bytes, KeyValueValue = (2 << 3) | Bytes, ValueText = (1 << 3) | Bytes, ValueNumber = 3 << 3;
    private const uint Fixed64 = 1, Bytes = 2;

    // Names come again and again: one string of each, and not without bound, for they come from outside.
    private const int MostNames = 1000;
    private static readonly ConcurrentDictionary<string, string> Names = new();

    /// <summary>Reads all spans.</summary>
    /// <exception cref="InvalidProtocolBufferException">It is no such request.</exception>
    public static List<TraceSpan> Read(byte[] body)
    {
        var spans = new List<TraceSpan>();
        ForEach(new CodedInputStream(body), RequestResourceSpans, resource => ForEach(resource, ResourceScopeSpans, scope => ForEach(scope, ScopeSpansSpans, span =>
        {
            if (ReadSpan(span) is { } read)
                spans.Add(read);
        })));
        return spans;
    }

    private static void ForEach(CodedInputStream input, uint field, Action<CodedInputStream> read)
    {
        while (input.ReadTag() is not 0 and var tag)
        {
            if (tag == field)
                read(input.ReadBytes().CreateCodedInput());
            else
                input.SkipLastField();
        }
    }

    private static TraceSpan? ReadSpan(CodedInputStream input)
    {
        var (trace, id, parent, name, start, end) = (ByteString.Empty, 0UL, 0UL, "", 0UL, 0UL);
        var (hop, instruction) = (0L, "");
        while (input.ReadTag() is not 0 and var tag)
        {
            switch (tag)
            {
                case SpanTraceId:
                    trace = input.ReadBytes();
                    break;
                case SpanId:
                    id = ReadId(input);
                    break;
                case SpanParentId:
                    parent = ReadId(input);
                    break;
                case SpanName:
                    name = input.ReadString();
                    break;
                case SpanStart:
                    start = input.ReadFixed64();
                    break;
                case SpanEnd:
                    end = input.ReadFixed64();
                    break;
                case SpanAttributes:
                    ReadAttribute(input.ReadBytes().CreateCodedInput(), ref hop, ref instruction);
                    break;
                default:
                    input.SkipLastField();
                    break;
            }
        }

        if (trace.Length != TraceIdLength || id == 0 || start > long.MaxValue || end > long.MaxValue)
            return null;
        var part = name is not HopSpan ? name
            : instruction is "destination" ? "destination" : string.Create(CultureInfo.InvariantCulture, $"hop {hop}");
        return new(
            BinaryPrimitives.ReadUInt128BigEndian(trace.Span), id, parent, Share(part), (long)start, (long)end, instruction is "destination" or "server");
    }

    private static void ReadAttribute(CodedInputStream input, ref long hop, ref string instruction)
    {
        var (key, text, number) = ("", "", 0L);
        while (input.ReadTag() is not 0 and var tag)
        {
            if (tag == KeyValueKey)
            {
                key = input.ReadString();
            }
            else if (tag == KeyValueValue)
            {
                var value = input.ReadBytes().CreateCodedInput();
                while (value.ReadTag() is not 0 and var kind)
                {
                    if (kind == ValueText)
                        text = value.ReadString();
                    else if (kind == ValueNumber)
                        number = value.ReadInt64();
                    else
                        value.SkipLastField();
                }
            }
            else
            {
                input.SkipLastField();
            }
        }

        if (key is HopNumber)
            hop = number;
        else if (key is Instruction)
            instruction = text;
    }

    private static ulong ReadId(CodedInputStream input) => input.ReadBytes() is { Length: SpanIdLength } bytes ? BinaryPrimitives.ReadUInt64BigEndian(bytes.Span) : 0;

    private static string Share(string name) => Names.Count < MostNames ? Names.GetOrAdd(name, name) : Names.GetValueOrDefault(name, name);
}
