using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Session.Orleans.ConsolePage.Model;

/// <summary>A line of figures as one path, which is both its stroke and what lies below it. Equal figures make equal lines.</summary>
/// <param name="Path">The path, as SVG draws it: one unit across for each point, the newest at the right edge.</param>
/// <param name="Most">The greatest figure, which reaches the top.</param>
public sealed record SparkLine(string Path, double Most)
{
    /// <summary>Width of the drawing.</summary>
    public const int Width = TrafficMeter.Points - 1;

    /// <summary>Height of the drawing.</summary>
    public const int Height = 100;

    // Where the greatest figure and zero are; the sides and the bottom lie outside the drawing, where nobody sees their stroke.
    private const int Top = 8, Zero = 95, Outside = 3;

    /// <summary>The line of one figure.</summary>
    public static SparkLine Of(ImmutableArray<TrafficPoint> traffic, Func<TrafficPoint, double> figure)
    {
        ArgumentNullException.ThrowIfNull(figure);
        var most = traffic.Select(figure).DefaultIfEmpty().Max();
        var x = Width - Math.Max(traffic.Length - 1, 0);
        var path = new StringBuilder();
        path.Append(CultureInfo.InvariantCulture, $"M{x - Outside} {Height + Outside}V{Y(traffic is [var first, ..] ? figure(first) : 0)}");
        foreach (var point in traffic)
            path.Append(CultureInfo.InvariantCulture, $"L{x++} {Y(figure(point))}");
        path.Append(CultureInfo.InvariantCulture, $"H{Width + Outside}V{Height + Outside}");
        return new(path.ToString(), most);

        int Y(double value) => most > 0 ? Zero - (int)Math.Round(value / most * (Zero - Top)) : Zero;
    }
}
