using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry;
using OpenTelemetry.Logs;

namespace Session.Orleans.Silo;

/// <summary>
/// Shortens keys in logs. This project's own lines hold none, but libraries name grains in their warnings, and grains are named after accounts.
/// </summary>
internal static partial class LogText
{
    /// <summary>Hex digits of a key that are left, as many as of a node's short id.</summary>
    private const int Left = 8;

    /// <summary>The text with every run of 64 hex digits or more cut down to its first eight.</summary>
    public static string Shorten(string text) =>
        text.Length < 64 ? text : Key().Replace(text, static key => string.Concat(key.ValueSpan[..Left], "…"));

    [GeneratedRegex("[0-9a-fA-F]{64,}")]
    private static partial Regex Key();
}

/// <summary>One JSON object a line: time, level, category, event, message, the span it belongs to, and the message's parts.</summary>
internal sealed class JsonLogFormatter() : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "session-json";

    private static readonly JsonWriterOptions Options = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            json.WriteStartObject();
            json.WriteString("time", TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
            json.WriteString("level", logEntry.LogLevel.ToString());
            json.WriteString("category", logEntry.Category);
            json.WriteNumber("event", logEntry.EventId.Id);
            json.WriteString("message", LogText.Shorten(logEntry.Formatter(logEntry.State, logEntry.Exception)));
            // Where a line is written, its span is the current one: the console formats before it queues.
            if (Activity.Current is { IdFormat: ActivityIdFormat.W3C } span)
            {
                json.WriteString("trace_id", span.TraceId.ToString());
                json.WriteString("span_id", span.SpanId.ToString());
            }

            if (logEntry.Exception is { } exception)
                json.WriteString("exception", LogText.Shorten(exception.ToString()));
            if (logEntry.State is IReadOnlyList<KeyValuePair<string, object?>> { Count: > 1 } parts)
                WriteParts(json, parts);
            json.WriteEndObject();
        }

        textWriter.WriteLine(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    private static void WriteParts(Utf8JsonWriter json, IReadOnlyList<KeyValuePair<string, object?>> parts)
    {
        json.WriteStartObject("parts");
        foreach (var (name, value) in parts)
        {
            if (name is "{OriginalFormat}")
                continue;
            switch (value)
            {
                case null:
                    json.WriteNull(name);
                    break;
                case bool flag:
                    json.WriteBoolean(name, flag);
                    break;
                case int or long or short or byte or uint or ushort:
                    json.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                    break;
                default:
                    json.WriteString(name, LogText.Shorten(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
                    break;
            }
        }

        json.WriteEndObject();
    }
}

/// <summary>For people: one line, and the exception on the same one.</summary>
internal sealed class TextLogFormatter() : ConsoleFormatter(FormatterName)
{
    public const string FormatterName = "session-text";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var level = logEntry.LogLevel switch
        {
            LogLevel.Trace => "trce",
            LogLevel.Debug => "dbug",
            LogLevel.Information => "info",
            LogLevel.Warning => "warn",
            LogLevel.Error => "fail",
            _ => "crit",
        };
        var text = LogText.Shorten(logEntry.Formatter(logEntry.State, logEntry.Exception) + (logEntry.Exception is { } exception ? " " + exception : ""));
        textWriter.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{TimeProvider.System.GetUtcNow():HH:mm:ss.fff} {level}: {logEntry.Category}[{logEntry.EventId.Id}] {text.ReplaceLineEndings(" ")}"));
    }
}

/// <summary>The same for logs that leave over OTLP.</summary>
internal sealed class KeyShortening : BaseProcessor<LogRecord>
{
    public override void OnEnd(LogRecord data)
    {
        if (data.FormattedMessage is { } message)
            data.FormattedMessage = LogText.Shorten(message);
        if (data.Attributes is null && data.Exception is null)
            return;
        var attributes = (data.Attributes ?? []).Select(static part => part.Value is null or bool or int or long or short or byte or uint or ushort or double
            ? part : new KeyValuePair<string, object?>(part.Key, LogText.Shorten(Convert.ToString(part.Value, CultureInfo.InvariantCulture) ?? ""))).ToList();
        if (data.Exception is { } exception)
        {
            // The exporter would send it as it is; these are the names under which it would.
            attributes.Add(new("exception.type", exception.GetType().FullName));
            attributes.Add(new("exception.message", LogText.Shorten(exception.Message)));
            attributes.Add(new("exception.stacktrace", LogText.Shorten(exception.ToString())));
            data.Exception = null;
        }

        data.Attributes = attributes;
    }
}
