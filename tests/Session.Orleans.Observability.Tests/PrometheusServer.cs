using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Session.Orleans.Observability.Tests;

/// <summary>A real Prometheus, Debian's: the one that deploy/ci/get-prometheus.sh puts into artifacts/tools, or one on the PATH.</summary>
internal sealed class PrometheusServer : IAsyncDisposable
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(20) };

    private readonly TemporaryFolder _folder;
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _log = new();

    private PrometheusServer(TemporaryFolder folder, Process process, Uri address) => (_folder, _process, Address) = (folder, process, address);

    public Uri Address { get; }

    public string Log => string.Join('\n', _log);

    /// <summary>Scrapes the targets every second.</summary>
    /// <param name="targets">host:port each.</param>
    public static async Task<PrometheusServer> StartAsync(params IEnumerable<string> targets)
    {
        var folder = new TemporaryFolder();
        await File.WriteAllTextAsync(folder.File("prometheus.yaml"), $"""
            global:
              scrape_interval: 1s
            scrape_configs:
              - job_name: session
                static_configs:
                  - targets: [{string.Join(", ", targets.Select(target => $"'{target}'"))}]
            """);
        var port = Ports.Find(1);
        var start = new ProcessStartInfo(Find("prometheus"),
        [
            $"--config.file={folder.File("prometheus.yaml")}", $"--storage.tsdb.path={folder.File("data")}",
            string.Create(CultureInfo.InvariantCulture, $"--web.listen-address=127.0.0.1:{port}"), "--enable-feature=exemplar-storage", "--log.level=warn",
        ])
        {
            RedirectStandardError = true,
        };
        var server = new PrometheusServer(folder, new() { StartInfo = start }, new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")));
        server._process.ErrorDataReceived += (_, line) => server._log.Enqueue(line.Data ?? "");
        server._process.Start();
        server._process.BeginErrorReadLine();
        await Wait.UntilAsync(server.IsReadyAsync, "Prometheus is ready", () => server.Log);
        return server;
    }

    /// <summary>Runs promtool to its end.</summary>
    public static async Task<(int ExitCode, string Output)> RunToolAsync(params IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Find("promtool"), arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        return (process.ExitCode, await output + await error);
    }

    /// <summary>What a query gives now. An error of the query fails the test.</summary>
    public async Task<JsonElement> QueryAsync(string expression)
    {
        using var answer = await Http.GetAsync(new Uri(Address, "/api/v1/query?query=" + Uri.EscapeDataString(expression)));
        var json = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        Assert.True(json.GetProperty("status").GetString() is "success", $"{expression}\n{json}");
        return json.GetProperty("data").GetProperty("result");
    }

    /// <summary>Ids of traces that a query's exemplars lead to.</summary>
    public async Task<IReadOnlyList<string>> ExemplarsAsync(string expression)
    {
        var (now, ago) = (DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 1, DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 120);
        var text = await Http.GetStringAsync(new Uri(Address, string.Create(CultureInfo.InvariantCulture, $"/api/v1/query_exemplars?query={Uri.EscapeDataString(expression)}&start={ago}&end={now}")));
        return [.. JsonElement.Parse(text).GetProperty("data").EnumerateArray().SelectMany(series => series.GetProperty("exemplars").EnumerateArray())
            .Select(exemplar => exemplar.GetProperty("labels").GetProperty("trace_id").GetString()!)];
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        _folder.Dispose();
    }

    private async Task<bool> IsReadyAsync()
    {
        Assert.False(_process.HasExited, Log);
        try
        {
            using var answer = await Http.GetAsync(new Uri(Address, "/-/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static string Find(string program)
    {
        string[] folders = [Path.Combine(Repository.Root, "artifacts", "tools", "prometheus", "usr", "bin"), .. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)];
        if (folders.Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists) is { } found)
            return found;
        const string Missing = "There is no Prometheus: deploy/ci/get-prometheus.sh gets Debian's into artifacts/tools.";
        Assert.SkipWhen(Environment.GetEnvironmentVariable("CI") is not "true", Missing);
        Assert.Fail(Missing);
        return "";
    }
}
