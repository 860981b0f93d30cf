using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Session.Orleans.Client;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>
/// Thousands of damaged requests against the real process. A case is made from its number alone: a failure names the number and the bytes.
/// </summary>
public sealed class FuzzTests
{
    private const int Seed = 20_250_615;
    private const int WarmUp = 5_000;
    private const int Total = 20_000;
    private const int Concurrency = 48;
    private const int MaxFailuresShown = 5;
    private const long MaxGrowth = 128L << 20;

    private static readonly OnionCipher[] Ciphers = [OnionCipher.AesGcm, OnionCipher.XChaCha20, OnionCipher.AesCbc];

    [Fact]
    public async Task DamagedRequests_NeverHurtTheNetwork()
    {
        await using var process = await TestnetProcess.StartAsync(options: "--ephemeral");
        using var network = new TestNetwork(process);
        var account = new TestAccount();
        var member = await network.MemberForAsync(account.Id);
        Assert.Equal(200, (await network.RpcAsync(member, account.Store("stored before"u8.ToArray()))).Status);

        using var http = SessionHttp.Create(TimeSpan.FromSeconds(10));
        var failures = new ConcurrentQueue<string>();
        var statuses = new ConcurrentDictionary<string, int>();
        await RunAsync(network, http, 0, WarmUp, failures, statuses);
        var warm = WorkingSet(process);
        await RunAsync(network, http, WarmUp, Total, failures, statuses);
        var end = WorkingSet(process);

        var summary = string.Join(", ", statuses.OrderByDescending(status => status.Value).Select(status => $"{status.Key}: {status.Value}"));
        TestContext.Current.SendDiagnosticMessage($"{summary}; working set {warm >> 20} MiB, then {end >> 20} MiB");
        Assert.True(failures.IsEmpty, $"seed {Seed}, {failures.Count} failures of {Total} ({summary})\n{string.Join("\n\n", failures.Take(MaxFailuresShown))}");
        Assert.False(process.Process.HasExited);
        process.AssertNoErrors();
        var retrieved = await network.RpcAsync(member, account.Retrieve());
        Assert.Equal("stored before"u8, Assert.Single(retrieved.Json.GetProperty("messages").EnumerateArray()).GetProperty("data").GetBytesFromBase64());
        Assert.True(end - warm < MaxGrowth, $"The working set grew from {warm >> 20} MiB to {end >> 20} MiB.");

        // The damage reached all depths: refused by the guard, by later hops, by the destination, and some requests survived it.
        foreach (var expected in (string[])["direct 200", "direct 400", "direct 401", "direct 421", "onion 400", "onion 502", "inner 200", "inner 400", "inner 401"])
            Assert.True(statuses.ContainsKey(expected), $"no request ended with '{expected}': {summary}");
    }

    private static async Task RunAsync(
        TestNetwork network, HttpClient http, int from, int to, ConcurrentQueue<string> failures, ConcurrentDictionary<string, int> statuses)
    {
        await Parallel.ForAsync(from, to, new ParallelOptions { MaxDegreeOfParallelism = Concurrency }, async (number, _) =>
        {
            var @case = FuzzCase.Create(new Random(Seed + number), network, Ciphers);
            var watch = Stopwatch.StartNew();
            string? failure;
            try
            {
                failure = await SendAsync(http, @case, statuses);
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
            {
                failure = $"no answer after {watch.Elapsed.TotalSeconds:F1} s: {exception.Message}";
            }

            if (failure is not null)
                failures.Enqueue(string.Create(CultureInfo.InvariantCulture, $"case {number} ({@case.Url}, {@case.Name}): {failure}\n{Convert.ToHexStringLower(@case.Body.AsSpan(0, Math.Min(@case.Body.Length, 4096)))}"));
        });
    }

    private static async Task<string?> SendAsync(HttpClient http, FuzzCase @case, ConcurrentDictionary<string, int> statuses)
    {
        using var content = new ByteArrayContent(@case.Body);
        using var response = await http.PostAsync(@case.Url, content);
        var body = await response.Content.ReadAsByteArrayAsync();
        var status = (int)response.StatusCode;
        Count(@case.Keys.Length == 0 ? "direct" : "onion", status);
        if (status is not (200 or 400 or 401 or 403 or 404 or 406 or 413 or 421 or 502))
            return $"status {status}: {Encoding.UTF8.GetString(body)}";
        if (status is not 200 || @case.Keys.Length == 0)
            return status is 200 ? FindInnerFailure(body) : null;
        foreach (var key in @case.Keys)
        {
            if (!OnionReply.TryOpen(key, body, base64: true, out var inner) && !OnionReply.TryOpen(key, body, base64: false, out inner))
                continue;
            Count("inner", inner.Status);
            return inner.Status >= 500 ? $"inner status {inner.Status}: {Encoding.UTF8.GetString(inner.Body.Span)}" : FindInnerFailure(inner.Body);
        }

        return null; // sealed with a key that the damage put into the request

        void Count(string where, int code) =>
            statuses.AddOrUpdate(string.Create(CultureInfo.InvariantCulture, $"{where} {code}"), 1, (_, count) => count + 1);
    }

    /// <summary>Looks for a 500 among the results of a batch.</summary>
    private static string? FindInnerFailure(ReadOnlyMemory<byte> body)
    {
        if (!body.Span.StartsWith("{\"results\""u8))
            return null;
        using var reply = JsonDocument.Parse(body);
        return reply.RootElement.GetProperty("results").EnumerateArray().Any(result => result.GetProperty("code").GetInt32() >= 500)
            ? Encoding.UTF8.GetString(body.Span) : null;
    }

    private static long WorkingSet(TestnetProcess process)
    {
        var line = File.ReadLines($"/proc/{process.Process.Id}/status").First(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10;
    }
}
