using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Session.Orleans.Silo;

namespace Session.Orleans.Observability.Tests;

/// <summary>What logs say at Information, and what they never say.</summary>
[Collection(SharedObservedNetwork.Name)]
public sealed class LogTests(ObservedNetwork observed)
{
    [Fact]
    public async Task Logs_AtInformation_HaveNoKeysAddressesAndBodies()
    {
        var accounts = Enumerable.Range(0, 10).Select(_ => new TestAccount()).ToArray();
        var (bodies, stop) = (new List<byte[]>(), TestContext.Current.CancellationToken);
        var destination = await observed.Network.MemberForAsync(accounts[0].Id);
        var faults = await TestnetProcess.RunAsync($"faults add --data \"{observed.Network.Process.Directory}\" --node {destination.Index} --slow-storage 10ms --for 5s");
        Assert.Equal(0, faults.ExitCode);
        foreach (var account in accounts)
        {
            var body = RandomNumberGenerator.GetBytes(300);
            bodies.Add(body);
            _ = await observed.OnionAsync(account, account.Store(body));
            _ = await observed.OnionAsync(account, account.Retrieve());
            // Bad requests, too: the text of an error is where such things slip in.
            using var wrong = await observed.Http.PostAsync(new Uri(destination.Url, "/storage_rpc/v1"), new StringContent(account.Store(body).ToJson()[..^5]), stop);
            using var elsewhere = await observed.Http.PostAsync(
                new Uri((await observed.Network.StrangerForAsync(account.Id)).Url, "/storage_rpc/v1"), new StringContent(account.Retrieve().ToJson()), stop);
            using var file = await observed.Http.PostAsync(new Uri(observed.Network.Process.Description.GetProperty("fileServerUrl").GetString() + "/file"), new ByteArrayContent(body), stop);
        }

        // Something must have been said about this very time, or the search below would find nothing in nothing.
        await Wait.UntilAsync(() => Lines().Count() > 10 && observed.Collector.Logs.Count > 10, "the log has lines", () => observed.Network.Process.Log);
        var texts = Lines().Concat(observed.Collector.Logs.Select(log => log.ToString())).ToArray();
        foreach (var secret in accounts.SelectMany(account => (string[])[account.Id.ToString()[2..], account.Keys.PublicKey.ToString()])
            .Concat(bodies.SelectMany(body => (string[])[Convert.ToBase64String(body)[..40], Convert.ToHexStringLower(body)[..40]])).Append(ObservedNetwork.ClientAddress))
            Assert.All(texts, text => Assert.DoesNotContain(secret, text, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void EveryLine_IsAnObject()
    {
        var lines = Lines().ToArray();
        Assert.NotEmpty(lines);
        Assert.All(lines, line =>
        {
            var json = JsonElement.Parse(Encoding.UTF8.GetBytes(line));
            Assert.True(json.GetProperty("time").GetDateTimeOffset() > DateTimeOffset.UtcNow.AddMinutes(-10));
            Assert.NotEmpty(json.GetProperty("level").GetString()!);
            Assert.NotEmpty(json.GetProperty("category").GetString()!);
            Assert.NotEmpty(json.GetProperty("message").GetString()!);
        });
    }

    [Fact]
    public void LineInASpan_NamesItsTrace_AndShortensKeys()
    {
        var key = "05" + new string('a', 32) + new string('b', 32);
        using var span = new Activity("test").SetIdFormat(ActivityIdFormat.W3C).Start();
        var json = Format(new JsonLogFormatter(), $"Grain mailbox/{key} is busy", new TimeoutException($"no answer of {key}"));
        Assert.Equal(span.TraceId.ToString(), json.GetProperty("trace_id").GetString());
        Assert.Equal(span.SpanId.ToString(), json.GetProperty("span_id").GetString());
        Assert.Equal("Warning", json.GetProperty("level").GetString());
        Assert.Equal(17, json.GetProperty("event").GetInt32());
        Assert.Equal("Grain mailbox/05aaaaaa… is busy", json.GetProperty("message").GetString());
        Assert.StartsWith("System.TimeoutException: no answer of 05aaaaaa…", json.GetProperty("exception").GetString(), StringComparison.Ordinal);
        Assert.Equal("05aaaaaa…", json.GetProperty("parts").GetProperty("Grain").GetString());
        Assert.Equal(3, json.GetProperty("parts").GetProperty("Count").GetInt64());
    }

    [Fact]
    public void LineOutsideOfASpan_NamesNoTrace() =>
        Assert.False(Format(new JsonLogFormatter(), "nothing", null).TryGetProperty("trace_id", out _));

    private static JsonElement Format(JsonLogFormatter formatter, string message, Exception? exception)
    {
        var parts = new KeyValuePair<string, object?>[] { new("Grain", "05" + new string('a', 64)), new("Count", 3), new("{OriginalFormat}", "...") };
        using var text = new StringWriter();
        formatter.Write(new LogEntry<KeyValuePair<string, object?>[]>(LogLevel.Warning, "Test", new(17), parts, exception, (_, _) => message), null, text);
        Assert.Equal(text.ToString().Length - Environment.NewLine.Length, text.ToString().IndexOf('\n', StringComparison.Ordinal)); // one line
        return JsonElement.Parse(Encoding.UTF8.GetBytes(text.ToString()));
    }

    private IEnumerable<string> Lines() => observed.Network.Process.Log.Split('\n').Where(line => line.StartsWith('{'));
}
