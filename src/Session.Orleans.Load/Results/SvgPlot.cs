using System.Globalization;
using System.Net;
using System.Text;

namespace Session.Orleans.Load.Results;

/// <summary>Lines over two axes as SVG, drawn with the classes of <see cref="HtmlReport"/>'s style.</summary>
/// <param name="xTitle">What the horizontal axis counts.</param>
/// <param name="yTitle">What the vertical axis counts.</param>
/// <param name="isLogarithmic">True if each step of the vertical axis is ten times the last.</param>
/// <param name="xLabel">Words for whole numbers of the horizontal axis; null for round numbers.</param>
internal sealed class SvgPlot(string xTitle, string yTitle, bool isLogarithmic, Func<double, string>? xLabel = null)
{
    private const double Width = 1000, Height = 300, Left = 64, Right = 16, Top = 12, Bottom = 40;
    private const int Steps = 5;

    private readonly List<(string Style, bool IsArea, (double X, double? Y)[] Points)> _lines = [];

    /// <summary>Adds a line; it is broken where a point has no value.</summary>
    public void Line(string style, IEnumerable<(double X, double? Y)> points) => _lines.Add((style, false, [.. points]));

    /// <summary>Adds a filled area from 0 up.</summary>
    public void Area(IEnumerable<(double X, double? Y)> points) => _lines.Add(("area", true, [.. points]));

    /// <summary>The plot.</summary>
    /// <param name="label">What it shows, for readers who don't see it.</param>
    public string ToSvg(string label)
    {
        var all = _lines.SelectMany(line => line.Points).Where(point => point.Y is not null).ToArray();
        var svg = new StringBuilder(string.Create(
            CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {Width} {Height}\" role=\"img\" aria-label=\"{WebUtility.HtmlEncode(label)}\">"));
        if (all.Length == 0)
            return svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Width / 2}\" y=\"{Height / 2}\" text-anchor=\"middle\">nothing was measured</text></svg>").ToString();

        var (xMin, xMax) = (Math.Min(0, all.Min(point => point.X)), Math.Max(1e-9, all.Max(point => point.X)));
        var positive = all.Where(point => point.Y > 0).Select(point => point.Y!.Value).DefaultIfEmpty(1).ToArray();
        var (yMin, yMax) = isLogarithmic
            ? (Math.Pow(10, Math.Floor(Math.Log10(positive.Min()))), Math.Pow(10, Math.Ceiling(Math.Log10(positive.Max() * 1.0001))))
            : (0, RoundUp(positive.Max()));

        foreach (var tick in isLogarithmic ? Powers(yMin, yMax) : Enumerable.Range(0, Steps + 1).Select(i => yMax * i / Steps))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{Y(tick):0.#}\" y2=\"{Y(tick):0.#}\"/>")
                .Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 6}\" y=\"{Y(tick) + 4:0.#}\" text-anchor=\"end\">{tick:0.###}</text>");
        }

        foreach (var tick in xLabel is not null ? Enumerable.Range(0, (int)Math.Floor(xMax) + 1).Select(i => (double)i) : Ticks(xMax))
        {
            svg.Append(CultureInfo.InvariantCulture, $"<line class=\"grid\" x1=\"{X(tick):0.#}\" x2=\"{X(tick):0.#}\" y1=\"{Top}\" y2=\"{Height - Bottom}\"/>")
                .Append(CultureInfo.InvariantCulture, $"<text x=\"{X(tick):0.#}\" y=\"{Height - Bottom + 16}\" text-anchor=\"middle\">{xLabel?.Invoke(tick) ?? tick.ToString("0.###", CultureInfo.InvariantCulture)}</text>");
        }

        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 6}\" text-anchor=\"middle\">{WebUtility.HtmlEncode(xTitle)}</text>")
            .Append(CultureInfo.InvariantCulture, $"<text x=\"14\" y=\"{(Top + Height - Bottom) / 2}\" text-anchor=\"middle\" transform=\"rotate(-90 14 {(Top + Height - Bottom) / 2})\">{WebUtility.HtmlEncode(yTitle)}</text>");
        foreach (var (style, isArea, points) in _lines)
        {
            if (isArea)
                AppendArea(points);
            else
                AppendLine(style, points);
        }

        return svg.Append("</svg>").ToString();

        double X(double x) => Left + ((x - xMin) / (xMax - xMin) * (Width - Left - Right));

        double Y(double y)
        {
            var share = isLogarithmic ? (Math.Log10(Math.Max(y, yMin)) - Math.Log10(yMin)) / (Math.Log10(yMax) - Math.Log10(yMin)) : y / yMax;
            return Height - Bottom - (Math.Clamp(share, 0, 1) * (Height - Top - Bottom));
        }

        void AppendLine(string style, (double X, double? Y)[] points)
        {
            svg.Append("<path class=\"s ").Append(style).Append("\" d=\"");
            var isBroken = true;
            foreach (var (x, y) in points)
            {
                if (y is { } value)
                    svg.Append(CultureInfo.InvariantCulture, $"{(isBroken ? 'M' : 'L')}{X(x):0.#} {Y(value):0.#}");
                isBroken = y is null;
            }

            svg.Append("\"/>");
        }

        void AppendArea((double X, double? Y)[] points)
        {
            if (points.Length == 0 || points.All(point => point.Y is null or 0))
                return;
            svg.Append("<path class=\"area\" d=\"").Append(CultureInfo.InvariantCulture, $"M{X(points[0].X):0.#} {Y(0):0.#}");
            foreach (var (x, y) in points)
                svg.Append(CultureInfo.InvariantCulture, $"L{X(x):0.#} {Y(y ?? 0):0.#}");
            svg.Append(CultureInfo.InvariantCulture, $"L{X(points[^1].X):0.#} {Y(0):0.#}Z\"/>");
        }
    }

    private static IEnumerable<double> Powers(double from, double to)
    {
        for (var power = from; power <= to * 1.001; power *= 10)
            yield return power;
    }

    private static IEnumerable<double> Ticks(double most)
    {
        var step = RoundUp(most / 8);
        for (var tick = 0.0; tick <= most * 1.0001; tick += step)
            yield return tick;
    }

    /// <summary>The next of 1, 2, 2.5 and 5 times a power of ten.</summary>
    private static double RoundUp(double number)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(number, 1e-9))));
        foreach (var factor in (ReadOnlySpan<double>)[1, 2, 2.5, 5])
        {
            if (number <= factor * power * 1.0001)
                return factor * power;
        }

        return 10 * power;
    }
}
