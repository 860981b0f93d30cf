using System.Collections.Concurrent;
using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Session.Orleans.Load.Traces;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Testnet.Bench;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet bench tracing</c>: what metrics and traces cost a request.</summary>
internal static class BenchTracingCommand
{
    private const int WarmUpRequests = 8000;
    private static readonly TimeSpan SpanLimit = TimeSpan.FromSeconds(30); // networks send theirs every five seconds
    private static readonly TimeSpan SpanPause = TimeSpan.FromMilliseconds(100);

    private const string Nothing = "nobody listens", Metrics = "metrics";

    private static readonly Option<int> Rounds = new("--rounds") { Description = "Rounds of each network, in turns", DefaultValueFactory = _ => 20 };
    private static readonly Option<int> Requests = new("--requests") { Description = "Polls in a round", DefaultValueFactory = _ => 2000 };
    private static readonly Option<int> Concurrency = new("--concurrency") { Description = "Requests in flight", DefaultValueFactory = _ => 16 };
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();

    public static Command Create()
    {
        var command = new Command("tracing", "Compares polls of networks to which nobody listens, with no request, 1 % and all of the requests traced, and with metrics, in turns") { Rounds, Requests, Concurrency, Output };
        command.SetAction((options, _) => StopOrder.CancelsAsync(stop => RunAsync(options, stop)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        int rounds = options.GetValue(Rounds), requests = options.GetValue(Requests), concurrency = options.GetValue(Concurrency);
        if (rounds < 1 || requests < 1 || concurrency is < 1 or > 10_000)
            throw new CommandException(ExitCodes.Usage, "--rounds, --requests and --concurrency must be at least 1.");

        var spans = new ConcurrentQueue<TraceSpan>();
        var reads = true;
        await using var collector = await StartCollectorAsync(body => OtlpTraces.Read(Volatile.Read(ref reads) ? body : []).ForEach(spans.Enqueue), cancellationToken);
        var address = collector.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        (string Name, string Base, Dictionary<string, string> Environment)[] settings =
        [
            (Nothing, Nothing, Environment(metrics: false, sampling: null)),
            ("traces, none sampled", Nothing, Environment(metrics: false, sampling: "0")),
            (Metrics, Nothing, Environment(metrics: true, sampling: null)),
            ("metrics, 1 % traced", Metrics, Environment(metrics: true, sampling: "0.01")),
            ("metrics, all traced", Metrics, Environment(metrics: true, sampling: "1")),
        ];
        var spansPerPoll = 0;
        var subjects = new List<Subject>();
        try
        {
            foreach (var (name, compared, environment) in settings)
            {
                Say($"starting and warming up: {name}");
                var network = await BenchNetwork.StartAsync(durable: false, cancellationToken, environment: environment);
                subjects.Add(new(name, compared, network));
                _ = await subjects[^1].Driver.WarmUpAsync(subjects[^1].Workload, concurrency, WarmUpRequests, cancellationToken);
            }

            // Before the rounds, in which spans come faster than they are sent on. The last network traces all.
            spansPerPoll = await CountSpansAsync(subjects[^1], spans, cancellationToken);
            Volatile.Write(ref reads, false);

            // In turns, because a machine that others use changes from minute to minute; and who comes first changes as well.
            for (var round = 0; round < rounds; round++)
            {
                Say($"round {round + 1} of {rounds}");
                for (var i = 0; i < subjects.Count; i++)
                {
                    var subject = subjects[(round + i) % subjects.Count];
                    subject.Results.Add((await subject.Driver.RunAsync(subject.Workload, concurrency, requests, cancellationToken)).ServerCpuMicroseconds);
                }
            }
        }
        finally
        {
            foreach (var subject in subjects)
                await subject.DisposeAsync();
        }

        var report = new BenchTracingReport(
            DateTimeOffset.UtcNow, typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "",
            Machine.ReadCpuModel(), System.Environment.ProcessorCount, concurrency, rounds, requests,
            [.. subjects.Select(subject => subject.CompareWith(subjects.Single(other => other.Name == subject.Base)))], spansPerPoll, MeasureUnheardSpan());
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(report, BenchJsonContext.Default.BenchTracingReport));
        }
        else
        {
            foreach (var each in report.Settings)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{each.Name,-22} {each.CpuMicroseconds,6:0} us CPU per poll{(each.Name == each.Base ? "" : $", {each.Ratio:0.000} ± {each.Error:0.000} of '{each.Base}'")}"));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"nobody listens: {report.SpansPerPoll} places for spans in a poll, {report.UnheardSpanNanoseconds:0.0} ns each, {report.UnheardShare:P3} of its CPU"));
        }

        return ExitCodes.Ok;

        Dictionary<string, string> Environment(bool metrics, string? sampling)
        {
            var environment = new Dictionary<string, string> { ["SESSION_Telemetry__Metrics"] = metrics.ToString(), ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "" };
            if (sampling is null)
                return environment;
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = address;
            environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
            environment["OTEL_METRICS_EXPORTER"] = environment["OTEL_LOGS_EXPORTER"] = "none";
            environment["SESSION_Telemetry__SamplingRatio"] = sampling;
            return environment;
        }
    }

    /// <summary>Spans of one poll: of a network that is at rest, all of them.</summary>
    private static async Task<int> CountSpansAsync(Subject subject, ConcurrentQueue<TraceSpan> spans, CancellationToken cancellationToken)
    {
        // What is left of the warming up has come when the spans of a poll after it have.
        await Task.Delay(SpanLimit / 3, cancellationToken);
        spans.Clear();
        _ = await subject.Driver.RunAsync(subject.Workload, concurrency: 1, count: 1, cancellationToken);
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            // The first one, at the gateway, ends last.
            if (spans.FirstOrDefault(span => span.Parent == 0) is { Id: not 0 } first)
                return spans.Count(span => span.Trace == first.Trace);
            if (Stopwatch.GetElapsedTime(start) > SpanLimit)
                throw new CommandException(ExitCodes.CheckFailed, "The network that traces all requests has told of none.");
            await Task.Delay(SpanPause, cancellationToken);
        }
    }

    /// <summary>Nanoseconds that a place costs where a span begins and ends, has tags and says how it ended, if nobody listens.</summary>
    private static double MeasureUnheardSpan()
    {
        const int Spans = 10_000_000, Repeats = 5;
        using var source = new ActivitySource("Session.Orleans.Testnet.Unheard");
        var least = double.MaxValue;
        for (var repeat = 0; repeat < Repeats; repeat++)
        {
            var start = Stopwatch.GetTimestamp();
            for (var i = 0; i < Spans; i++)
            {
                using var activity = source.StartActivity("span");
                if (activity is { IsAllDataRequested: true })
                    activity.SetTag("number", i);
                activity?.SetStatus(ActivityStatusCode.Ok);
            }

            least = Math.Min(least, Stopwatch.GetElapsedTime(start).TotalNanoseconds / Spans);
        }

        return least;
    }

    /// <summary>Takes spans; its time is this process's and not a network's.</summary>
    private static async Task<WebApplication> StartCollectorAsync(Action<byte[]> take, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            take(body.ToArray());
            context.Response.ContentType = "application/x-protobuf";
        });
        await app.StartAsync(cancellationToken);
        return app;
    }

    private static void Say(string text) => Console.Error.WriteLine(text);

    private sealed class Subject(string name, string compared, BenchNetwork network) : IAsyncDisposable
    {
        public string Name => name;

        public string Base => compared;

        public PollWorkload Workload { get; } = new(new(network.Description), OnionCipher.XChaCha20);

        public LoadDriver Driver { get; } = new(network);

        public List<double> Results { get; } = [];

        public BenchTracingResult CompareWith(Subject other)
        {
            double[] ratios = [.. Results.Zip(other.Results, (mine, its) => mine / its)];
            return new(Name, Figures.Middle(Results), other.Name, Figures.Middle(ratios), Figures.ErrorOfMiddle(ratios));
        }

        public async ValueTask DisposeAsync()
        {
            Driver.Dispose();
            await network.DisposeAsync();
        }
    }
}
