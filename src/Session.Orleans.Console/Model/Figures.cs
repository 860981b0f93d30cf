using System.Globalization;
using Session.Orleans.Protocol.Swarms;
using Session.Orleans.Storage;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>Figures for people: three digits and a unit.</summary>
internal static class Figures
{
    /// <summary>A duration, in the unit that suits it.</summary>
    public static string Duration(TimeSpan value) => value.Duration() switch
    {
        { TotalMilliseconds: < 1 } when value != TimeSpan.Zero => string.Create(CultureInfo.InvariantCulture, $"{value.TotalMicroseconds:0} µs"),
        { TotalMilliseconds: < 1000 } => string.Create(CultureInfo.InvariantCulture, $"{Three(value.TotalMilliseconds)} ms"),
        { TotalSeconds: < 120 } => string.Create(CultureInfo.InvariantCulture, $"{Three(value.TotalSeconds)} s"),
        { TotalMinutes: < 120 } => string.Create(CultureInfo.InvariantCulture, $"{value.TotalMinutes:0} min"),
        { TotalHours: < 48 } => string.Create(CultureInfo.InvariantCulture, $"{value.TotalHours:0} h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{value.TotalDays:0} days"),
    };

    /// <summary>A duration, or a dash where there is none.</summary>
    public static string Duration(TimeSpan? value) => value is { } known ? Duration(known) : "–";

    /// <summary>A rate per second.</summary>
    public static string Rate(double value) => Three(value);

    /// <summary>A count, with its thousands apart.</summary>
    public static string Count(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>Messages and where they are.</summary>
    public static string Held(MailboxCount count) =>
        $"{Count(count.Messages)} {(count.Messages == 1 ? "message" : "messages")} {Mailboxes(count)}";

    /// <summary>Number of mailboxes, with the word for them.</summary>
    public static string Mailboxes(MailboxCount count) => $"in {Count(count.Mailboxes)} {(count.Mailboxes == 1 ? "mailbox" : "mailboxes")}";

    /// <summary>An amount of memory.</summary>
    public static string Bytes(long value) => string.Create(CultureInfo.InvariantCulture, $"{value / 1048576.0:N0} MiB");

    /// <summary>A share, in percent.</summary>
    public static string Share(double? value) =>
        value is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known * 100:0.0} %") : "–";

    /// <summary>A swarm's id, as short as it can be told from others: the digits that differ come first.</summary>
    public static string Short(SwarmId id) => id.ToString() is [var a, var b, var c, var d, _, _, ..] ? $"{a}{b}{c}{d}…" : id.ToString();

    /// <summary>A number as SVG and CSS want it.</summary>
    public static string Css(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private static string Three(double value) => Math.Abs(value) switch
    {
        0 => "0",
        < 10 => value.ToString("0.##", CultureInfo.InvariantCulture),
        < 100 => value.ToString("0.#", CultureInfo.InvariantCulture),
        _ => value.ToString("N0", CultureInfo.InvariantCulture),
    };
}
