using System.Buffers;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

/// <summary>The cases of storage_requests.json, as far as they can be decided without a store.</summary>
public sealed class RequestVectorTests
{
    private static readonly JsonElement File = Vectors.Load("storage_requests.json");

    private static readonly Dictionary<string, JsonElement> Cases =
        File.GetProperty("cases").EnumerateArray().ToDictionary(static vector => vector.Text("name"));

    public static TheoryData<string> CaseNames => [.. Cases.Keys];

    [Theory, MemberData(nameof(CaseNames))]
    public void Request_Case_IsAnsweredAsSpecified(string name)
    {
        var vector = Cases[name];
        var code = vector.GetProperty("expected_code").GetInt32();
        var text = vector.TryGetProperty("expected_body", out var body) ? body.GetString() : null;
        var given = vector.TryGetProperty("given", out var condition) ? condition.GetString()! : "";

        var parsed = StorageRequest.TryParse(Body(vector), default, out var request, out var error);
        if (parsed && vector.TryGetProperty("signed_hex", out _) && request is AccountRequest signed)
            AssertSignedText(name, Encoding.Latin1.GetString(vector.Hex("signed_hex")), SignedText(signed));
        if (parsed && request is AccountRequest account)
        {
            var clock = new ServerClock(
                File.GetProperty("now_ms").GetInt64(), given == "hard fork 19.3" ? new(19, 3) : new(19, 4));
            var refusal = account.Check(clock) ?? account.TokenCheck?.Decide(given.Contains("revocation list", StringComparison.Ordinal));
            parsed = refusal is null;
            error = refusal ?? default;
        }

        if (code is 200 or 404)   // 404 of 'delete' with 'required' is decided by what is found
            Assert.True(parsed, error.ToString());
        else
            Assert.Equal(new StorageError(code, text!), error);
        Assert.Equal(code is 200 or 404, parsed);
        if (parsed && request is StoreRequest store && vector.TryGetProperty("expected_body_contains", out var contains))
            Assert.Equal(contains.Text("hash"), store.ComputeHash().ToString());
    }

    [Fact]
    public void TryParse_MalformedBody_IsRefusedAsSpecified()
    {
        var vectors = File.GetProperty("raw").EnumerateArray().ToList();
        Assert.NotEmpty(vectors);
        foreach (var vector in vectors)
        {
            Assert.False(StorageRequest.TryParse(Encoding.UTF8.GetBytes(vector.Text("request")), default, out var request, out var error));
            Assert.Null(request);
            Assert.Equal(new StorageError(vector.GetProperty("expected_code").GetInt32(), vector.Text("expected_body")), error);
        }
    }

    [Fact]
    public void WrittenRequest_OfEveryCase_ParsesToTheSameSignedText()
    {
        foreach (var (name, vector) in Cases)
        {
            if (!StorageRequest.TryParse(Body(vector), default, out var request, out _))
                continue;
            var written = StorageRequestWriter.ToArray(request);
            Assert.True(StorageRequest.TryParse(written, default, out var again, out var error), $"{name}: {error}");
            Assert.Equal(written, StorageRequestWriter.ToArray(again));
            Assert.Equal(request.GetType(), again.GetType());
            if (request is AccountRequest account)
            {
                Assert.Equal(SignedText(account), SignedText((AccountRequest)again));
                Assert.Equal(account.Authentication, ((AccountRequest)again).Authentication);
            }
        }
    }

    private static void AssertSignedText(string name, string clients, string servers)
    {
        // In these two the client signed something else than the server verifies: that is why they fail.
        if (name is "delete/reordered" or "retrieve/ns0-signed-with-a-zero")
            Assert.NotEqual(clients, servers);
        else
            Assert.Equal(clients, servers);
    }

    private static byte[] Body(JsonElement vector)
    {
        if (vector.TryGetProperty("request", out var request))
            return Encoding.UTF8.GetBytes(request.GetString()!);
        var parameters = vector.GetProperty("params").GetRawText();
        const string Marker = "@base64-of-zero-bytes:";
        if (vector.GetProperty("params").TryGetProperty("data", out var data) && data.GetString()!.StartsWith(Marker, StringComparison.Ordinal))
        {
            var zeros = new byte[int.Parse(data.GetString()![Marker.Length..], System.Globalization.CultureInfo.InvariantCulture)];
            parameters = parameters.Replace(data.GetString()!, Convert.ToBase64String(zeros), StringComparison.Ordinal);
        }

        return Encoding.UTF8.GetBytes($$"""{"method":"{{vector.Text("method")}}","params":{{parameters}}}""");
    }

    private static string SignedText(AccountRequest request)
    {
        var buffer = new ArrayBufferWriter<byte>();
        request.WriteSignedText(buffer);
        return Encoding.Latin1.GetString(buffer.WrittenSpan);
    }
}
