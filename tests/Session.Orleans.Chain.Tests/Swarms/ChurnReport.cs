using System.Globalization;
using System.Text;

namespace Session.Orleans.Chain.Tests.Swarms;

internal enum ChurnKind
{
    Join,
    Leave,
    Burst,
}

/// <summary>What share of the accounts the blocks of a simulation moved.</summary>
internal sealed class ChurnReport
{
    // Upper ends of the bands, in percent.
    private static readonly double[] Bands = [0, 0.5, 1, 2, 3, 5, 10, 20, 50, 100];

    private readonly Dictionary<(ChurnKind, int Band), int> _blocks = [];
    private readonly Dictionary<ChurnKind, (long Count, double Shares, double Most, long NodesMoved)> _totals = [];
    private readonly SortedDictionary<int, (long Count, double Shares, double Most)> _bySwarms = [];
    private (double Created, double Dissolved) _mostTimesSwarms;

    /// <summary>Joins and leaves so far.</summary>
    public int Events { get; set; }

    public void Add(ChurnKind kind, int swarms, int nodesMoved, double share)
    {
        var band = Array.FindIndex(Bands, end => share * 100 <= end);
        _blocks[(kind, band)] = _blocks.GetValueOrDefault((kind, band)) + 1;
        var total = _totals.GetValueOrDefault(kind);
        _totals[kind] = (total.Count + 1, total.Shares + share, Math.Max(total.Most, share), total.NodesMoved + nodesMoved);
        if (kind is ChurnKind.Burst)
            return;
        var size = swarms / 8 * 8;
        var bySize = _bySwarms.GetValueOrDefault(size);
        _bySwarms[size] = (bySize.Count + 1, bySize.Shares + share, Math.Max(bySize.Most, share));
    }

    public void AddArc(double arc, bool created, int swarms)
    {
        if (created)
            _mostTimesSwarms.Created = Math.Max(_mostTimesSwarms.Created, arc * swarms);
        else
            _mostTimesSwarms.Dissolved = Math.Max(_mostTimesSwarms.Dissolved, arc * swarms);
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        void Line(string line) => text.AppendLine(line);
        Line(string.Create(CultureInfo.InvariantCulture, $"{Events} joins and leaves. Blocks by share of accounts that changed swarm:"));
        Line("            share |    one join |   one leave |  many at once");
        for (var band = 0; band < Bands.Length; band++)
        {
            int Count(ChurnKind kind) => _blocks.GetValueOrDefault((kind, band));
            var name = band == 0 ? "none" : string.Create(CultureInfo.InvariantCulture, $"up to {Bands[band]} %");
            Line(string.Create(CultureInfo.InvariantCulture, $"{name,17} | {Count(ChurnKind.Join),11} | {Count(ChurnKind.Leave),11} | {Count(ChurnKind.Burst),11}"));
        }

        foreach (var (kind, total) in _totals.OrderBy(pair => pair.Key))
        {
            Line(string.Create(CultureInfo.InvariantCulture,
                $"{kind}: mean {100 * total.Shares / total.Count:0.000} %, most {100 * total.Most:0.00} %, {(double)total.NodesMoved / total.Count:0.00} nodes moved a block"));
        }

        foreach (var (size, (count, shares, most)) in _bySwarms)
            Line(string.Create(CultureInfo.InvariantCulture, $"{size,3} to {size + 7} swarms, one event: mean {100 * shares / count:0.000} %, most {100 * most:0.00} %, {count} events"));
        Line(string.Create(CultureInfo.InvariantCulture,
            $"Largest arc in units of 1 / number of swarms: created {_mostTimesSwarms.Created:0.00}, dissolved {_mostTimesSwarms.Dissolved:0.00}"));
        return text.ToString();
    }
}
