using System.Net.Http.Headers;
using System.Text;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The admin API over HTTP: what it refuses, and how it describes itself.</summary>
[Collection(SharedNetwork.Name)]
public sealed class AdminApiTests(NetworkFixture fixture) : IAsyncLifetime
{
    private readonly TestNetwork _network = fixture.Network;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await AskAsync(HttpMethod.Delete, "/v1/faults");

    [Theory]
    [InlineData("GET", "/v1/nodes/99", null, 404, "There is no node 99")]
    [InlineData("GET", "/v1/nodes/00000000", null, 404, "00000000")]
    [InlineData("GET", "/v1/nodes/x", null, 400, "neither a node's index")]
    [InlineData("GET", "/v1/swarms/1234", null, 404, "There is no swarm '1234'")]
    [InlineData("GET", "/v1/swarms/xyz", null, 404, "There is no swarm 'xyz'")]
    [InlineData("GET", "/v1/accounts/05/swarm", null, 400, "66 hex digits")]
    [InlineData("DELETE", "/v1/faults/f999", null, 404, "There is no fault 'f999'")]
    [InlineData("DELETE", "/v1/faults?name=f998&name=f999", null, 404, "'f998', 'f999'")]
    [InlineData("POST", "/v1/faults", "[]", 400, "empty")]
    [InlineData("POST", "/v1/faults", "[null]", 400, "no fault of kind")]
    [InlineData("POST", "/v1/faults", "", 400, "needs a body")]
    [InlineData("POST", "/v1/faults", "null", 400, "body")]
    [InlineData("POST", "/v1/faults", "[{", 400, "line 1")]
    [InlineData("POST", "/v1/faults", """[{"kind":"offline",}]""", 400, "trailing comma")]
    [InlineData("POST", "/v1/faults", """{"kind":"offline","nodes":["1"]}""", 400, "another type")]
    [InlineData("POST", "/v1/faults", """[{"kind":"offline","node":["1"]}]""", 400, "$[0].node")]
    [InlineData("POST", "/v1/faults", """[{"kind":"latency","nodes":["1"],"delayMs":"5"}]""", 400, "$[0].delayMs")]
    [InlineData("POST", "/v1/faults", """[{"nodes":["1"]}]""", 400, "kind")]
    [InlineData("POST", "/v1/faults", """[{"kind":"gloom","nodes":["1"]}]""", 400, "'gloom'")]
    [InlineData("POST", "/v1/faults", """[{"kind":"latency","nodes":["1"],"delayMs":1e300}]""", 400, "out of range")]
    [InlineData("POST", "/v1/faults", """[{"kind":"offline","nodes":["1"]},{"kind":"offline","nodes":["99"]}]""", 404, "There is no node 99")]
    [InlineData("POST", "/v1/faults", """[{"kind":"offline","nodes":["1"]},{"kind":"latency","nodes":["2"]}]""", 400, "needs a delay")]
    [InlineData("GET", "/v1/nothing", null, 404, "/v1/nothing")]
    [InlineData("PUT", "/v1/nodes", null, 405, "PUT /v1/nodes")]
    public async Task Refusal_IsAProblemThatSaysWhy_AndChangesNothing(string method, string path, string? body, int status, string detail)
    {
        var reply = await AskAsync(new(method), path, body);

        AssertProblem(reply, status, detail);
        Assert.Equal("[]", (await AskAsync(HttpMethod.Get, "/v1/faults")).Text);
    }

    [Fact]
    public async Task Body_OfAnotherType_Is415() =>
        AssertProblem(await AskAsync(HttpMethod.Post, "/v1/faults", "[]", change: request => request.Content!.Headers.ContentType = new("text/plain")), 415, "application/json");

    [Theory]
    [InlineData("GET", "/v1/nodes", null)]
    [InlineData("GET", "/v1/nothing", null)]
    [InlineData("POST", "/v1/faults", "[{")]
    public async Task WithoutTheToken_NothingIsReadAndItIs401(string method, string path, string? body)
    {
        var reply = await AskAsync(new(method), path, body, change: request => request.Headers.Authorization = null);

        AssertProblem(reply, 401, "admin token");
        Assert.Equal("Bearer", reply.Header("WWW-Authenticate"));
    }

    [Fact]
    public async Task Faults_BeginAndEnd()
    {
        var added = await AskAsync(HttpMethod.Post, "/v1/faults", """
            [{"kind":"latency","nodes":["3"],"delayMs":200,"spreadMs":50,"label":"both"},{"kind":"loss","nodes":["3"],"probability":0.05,"label":"both","forSeconds":600}]
            """);
        Assert.Equal(201, added.Status);
        Assert.Equal(["latency", "loss"], added.Json.EnumerateArray().Select(fault => fault.GetProperty("kind").GetString()));

        var ended = await AskAsync(HttpMethod.Delete, "/v1/faults/both");
        Assert.Equal(2, ended.Json.GetArrayLength());
        AssertProblem(await AskAsync(HttpMethod.Delete, "/v1/faults/both"), 404, "'both'");
    }

    [Fact]
    public async Task OpenApi_IsOpen_AndDescribesEveryOperation()
    {
        var reply = await AskAsync(HttpMethod.Get, "/openapi/v1.json", change: request => request.Headers.Authorization = null);

        Assert.Equal(200, reply.Status);
        var paths = reply.Json.GetProperty("paths");
        var operations = paths.EnumerateObject().Where(path => path.Name.StartsWith("/v1/", StringComparison.Ordinal))
            .SelectMany(path => path.Value.EnumerateObject().Select(operation => (Path: path.Name, Method: operation.Name, operation.Value))).ToArray();
        Assert.Superset(
            new HashSet<(string, string)>
            {
                ("/v1/status", "get"), ("/v1/nodes", "get"), ("/v1/nodes/{node}", "get"), ("/v1/swarms", "get"), ("/v1/swarms/{swarm}", "get"),
                ("/v1/accounts/{account}/swarm", "get"), ("/v1/faults", "get"), ("/v1/faults", "post"), ("/v1/faults", "delete"), ("/v1/faults/{name}", "delete"),
            },
            operations.Select(operation => (operation.Path, operation.Method)).ToHashSet());
        foreach (var (path, _, operation) in operations)
        {
            Assert.NotEmpty(operation.GetProperty("summary").GetString()!);
            Assert.True(operation.GetProperty("responses").TryGetProperty("401", out _), path);
            Assert.Equal("adminToken", operation.GetProperty("security")[0].EnumerateObject().Single().Name);
        }

        Assert.False(paths.GetProperty("/health/live").GetProperty("get").TryGetProperty("security", out _));
        foreach (var schema in (string[])["NetworkStatus", "NodeReport", "SwarmReport", "FaultReport", "FaultOrder", "ChainReport", "RegistrationOrder"])
        {
            foreach (var property in reply.Json.GetProperty("components").GetProperty("schemas").GetProperty(schema).GetProperty("properties").EnumerateObject())
                Assert.True(property.Value.TryGetProperty("description", out _), $"{schema}.{property.Name} has no description.");
        }
    }

    private static void AssertProblem(Reply reply, int status, string detail)
    {
        Assert.True(reply.Status == status, $"{reply.Status}: {reply.Text}");
        Assert.StartsWith("application/problem+json", reply.Header("Content-Type"), StringComparison.Ordinal);
        Assert.Equal(status, reply.Json.GetProperty("status").GetInt32());
        Assert.Contains(detail, reply.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private async Task<Reply> AskAsync(HttpMethod method, string path, string? body = null, Action<HttpRequestMessage>? change = null)
    {
        var token = await File.ReadAllTextAsync(_network.Process.Description.GetProperty("adminTokenFile").GetString()!);
        return await _network.SendAsync(method, new(_network.Process.Admin, path), body is null ? null : Encoding.UTF8.GetBytes(body), change: request =>
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token.Trim());
            change?.Invoke(request);
        });
    }
}
