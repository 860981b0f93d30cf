using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Session.Orleans.Observability.Tests.Dashboards;

/// <summary>Writes dashboards as Grafana reads them.</summary>
internal static class DashboardJson
{
    private const int RowHeight = 1, FigureHeight = 4, PanelHeight = 8, FullWidth = 24;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static JsonObject Source => new() { ["type"] = "prometheus", ["uid"] = "${datasource}" };

    public static string Write(Dashboard dashboard) => new JsonObject
    {
        ["uid"] = dashboard.Uid,
        ["title"] = "Session: " + dashboard.Title,
        ["description"] = dashboard.Description,
        ["tags"] = new JsonArray("session"),
        ["schemaVersion"] = 39,
        ["editable"] = false,
        ["graphTooltip"] = 1,
        ["refresh"] = "10s",
        ["time"] = new JsonObject { ["from"] = "now-30m", ["to"] = "now" },
        ["links"] = new JsonArray(new JsonObject
        {
            ["type"] = "dashboards", ["title"] = "Session", ["tags"] = new JsonArray("session"), ["asDropdown"] = true, ["includeVars"] = true, ["keepTime"] = true,
        }),
        ["templating"] = new JsonObject { ["list"] = new JsonArray(DataSource(), Choice("namespace", "Namespace"), Choice("pod", "Pod")) },
        ["annotations"] = new JsonObject
        {
            ["list"] = new JsonArray(
                Annotation("Faults", "red", "changes(sum(max by (session_kind) (session_network_faults{@}))[1m:10s]) > 0", "The faults in force have changed"),
                Annotation("Load runs", "blue", "max(session_load_users{@}) > 0 unless max(session_load_users{@} offset 1m) > 0", "A load run begins"),
                Annotation("Starts", "green", "count by (pod, instance) (session_network_view_version{@} unless session_network_view_version{@} offset 1m)", "A process has started")),
        },
        ["panels"] = Panels(dashboard),
    }.ToJsonString(Indented) + "\n";

    private static JsonObject DataSource() => new() { ["name"] = "datasource", ["label"] = "Data source", ["type"] = "datasource", ["query"] = "prometheus" };

    // Where nothing carries the label, as outside of Kubernetes, all of them are those without one.
    private static JsonObject Choice(string label, string title) => new()
    {
        ["name"] = label,
        ["label"] = title,
        ["type"] = "query",
        ["datasource"] = Source,
        ["query"] = new JsonObject { ["query"] = $"label_values(session_network_view_version, {label})", ["refId"] = label },
        ["refresh"] = 2,
        ["multi"] = true,
        ["includeAll"] = true,
        ["allValue"] = ".*",
        ["current"] = new JsonObject { ["text"] = "All", ["value"] = "$__all" },
    };

    private static JsonObject Annotation(string name, string color, string expression, string text) => new()
    {
        ["name"] = name,
        ["datasource"] = Source,
        ["enable"] = true,
        ["iconColor"] = color,
        ["expr"] = new Query("", expression).Text,
        ["step"] = "30s",
        ["titleFormat"] = text,
    };

    private static JsonArray Panels(Dashboard dashboard)
    {
        var (panels, id, y) = (new JsonArray(), 1, 0);
        foreach (var row in dashboard.Rows)
        {
            panels.Add(new JsonObject { ["id"] = id++, ["type"] = "row", ["title"] = row.Title, ["collapsed"] = false, ["gridPos"] = Place(0, y, FullWidth, RowHeight) });
            y += RowHeight;
            var (x, height) = (0, 0);
            foreach (var panel in row.Panels)
            {
                if (x + panel.Width > FullWidth)
                    (x, y, height) = (0, y + height, 0);
                var own = panel.Kind is PanelKind.Figure ? FigureHeight : PanelHeight;
                panels.Add(Write(panel, id++, Place(x, y, panel.Width, own)));
                x += panel.Width;
                height = Math.Max(height, own);
            }

            y += height;
        }

        return panels;
    }

    private static JsonObject Place(int x, int y, int width, int height) => new() { ["x"] = x, ["y"] = y, ["w"] = width, ["h"] = height };

    private static JsonObject Write(Panel panel, int id, JsonObject place) => new()
    {
        ["id"] = id,
        ["type"] = panel.Kind switch { PanelKind.Figure => "stat", PanelKind.HeatMap => "heatmap", PanelKind.Bars => "bargauge", _ => "timeseries" },
        ["title"] = panel.Title,
        ["description"] = panel.Description,
        ["datasource"] = Source,
        ["gridPos"] = place,
        ["targets"] = new JsonArray([.. panel.Queries.Select((query, i) => (JsonNode)new JsonObject
        {
            ["refId"] = ((char)('A' + i)).ToString(),
            ["datasource"] = Source,
            ["expr"] = query.Text,
            ["legendFormat"] = query.Legend,
            ["exemplar"] = panel.HasExemplars,
            ["instant"] = panel.Kind is PanelKind.Figure or PanelKind.Bars,
            ["range"] = panel.Kind is not (PanelKind.Figure or PanelKind.Bars),
            ["format"] = panel.Kind is PanelKind.HeatMap ? "heatmap" : "time_series",
        })]),
        ["fieldConfig"] = new JsonObject
        {
            ["defaults"] = new JsonObject
            {
                ["unit"] = panel.Unit,
                ["min"] = 0,
                ["custom"] = panel.Kind switch
                {
                    PanelKind.Stack => new JsonObject { ["fillOpacity"] = 40, ["stacking"] = new JsonObject { ["mode"] = "normal", ["group"] = "A" } },
                    PanelKind.Lines => new JsonObject
                    {
                        ["fillOpacity"] = 8, ["thresholdsStyle"] = new JsonObject { ["mode"] = panel.Bad is null ? "off" : "line" },
                    },
                    _ => new JsonObject(),
                },
                ["thresholds"] = new JsonObject
                {
                    ["mode"] = "absolute",
                    ["steps"] = panel.Bad is { } bad
                        ? new JsonArray(Step("green", null), Step("red", bad)) : new JsonArray(Step(panel.Kind is PanelKind.Figure ? "text" : "green", null)),
                },
            },
            ["overrides"] = new JsonArray(),
        },
        ["options"] = panel.Kind switch
        {
            PanelKind.Figure => new JsonObject { ["reduceOptions"] = new JsonObject { ["calcs"] = new JsonArray("lastNotNull") }, ["colorMode"] = "value", ["graphMode"] = "area" },
            PanelKind.HeatMap => new JsonObject { ["calculate"] = false, ["yAxis"] = new JsonObject { ["unit"] = panel.Unit }, ["color"] = new JsonObject { ["scheme"] = "Oranges", ["mode"] = "scheme" }, ["exemplars"] = new JsonObject { ["color"] = "rgba(0,150,255,0.8)" } },
            PanelKind.Bars => new JsonObject { ["reduceOptions"] = new JsonObject { ["calcs"] = new JsonArray("lastNotNull") }, ["orientation"] = "horizontal", ["displayMode"] = "basic" },
            _ => new JsonObject { ["legend"] = new JsonObject { ["displayMode"] = "list", ["placement"] = "bottom" }, ["tooltip"] = new JsonObject { ["mode"] = "multi", ["sort"] = "desc" } },
        },
    };

    private static JsonObject Step(string color, double? value) => new() { ["color"] = color, ["value"] = value };
}
