using System.Text.Json.Nodes;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>The frame of requests and replies.</summary>
[Section("storage-rpc.md", "1")]
public sealed class FramingRules(Networks networks) : RuleSet(networks)
{
    [Theory]
    [Everywhere("")]
    [Everywhere("{")]
    [Everywhere("{]")]
    [Everywhere("nonsense")]
    [Everywhere("{\"method\":\"info\",\"params\":{}} x")]
    [Everywhere("{'method':'info','params':{}}")]
    public async Task Body_ThatIsNotJson_IsInvalidJson(Store store, Transport via, string request) =>
        (await (await MailboxAsync(store, via)).SendAsync(request)).ShouldBe(400, "invalid json");

    [Theory]
    [Everywhere("[]")]
    [Everywhere("7")]
    [Everywhere("null")]
    [Everywhere("\"method\"")]
    [Everywhere("{}")]
    [Everywhere("{\"params\":{}}")]
    [Everywhere("{\"method\":1,\"params\":{}}")]
    [Everywhere("{\"method\":null,\"params\":{}}")]
    [Everywhere("{\"method\":[\"info\"]}")]
    public async Task Method_MissingOrNoString_IsNamed(Store store, Transport via, string request) =>
        (await (await MailboxAsync(store, via)).SendAsync(request)).ShouldBe(400, "invalid json: no `method` field");

    [Theory]
    [Everywhere("{\"method\":\"info\"}")]
    [Everywhere("{\"method\":\"info\",\"params\":[]}")]
    [Everywhere("{\"method\":\"info\",\"params\":\"{}\"}")]
    [Everywhere("{\"method\":\"info\",\"params\":null}")]
    [Everywhere("{\"method\":\"no such method\",\"params\":7}")]
    public async Task Params_MissingOrNoObject_AreNamedBeforeTheMethodIsLookedUp(Store store, Transport via, string request) =>
        (await (await MailboxAsync(store, via)).SendAsync(request)).ShouldBe(400, "invalid json: no `params` field");

    [Theory]
    [Everywhere("fly")]
    [Everywhere("Info")]
    [Everywhere("")]
    [Everywhere("storage.info")]
    public async Task Method_Unknown_IsNamed(Store store, Transport via, string method) =>
        (await (await MailboxAsync(store, via)).CallAsync(method, [])).ShouldBe(400, "no method " + method);

    [Theory, Everywhere]
    public async Task Parameters_Malformed_AreInvalidRequest(Store store, Transport via) =>
        (await (await MailboxAsync(store, via)).CallAsync("get_swarm", [])).ShouldBeInvalid("Required field 'pubkey' missing");

    [Theory, Everywhere]
    public async Task Parameters_Malformed_Are400EvenInTheWrongSwarm(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        (await mailbox.CallAsync("store", mailbox.StoreOf("x").With("data", "*"), mailbox.Stranger)).ShouldBeInvalid("Invalid 'data' value: not base64 encoded");
    }

    [Theory, Everywhere]
    public async Task EnvelopeMembersOfJsonRpc_AreIgnoredAndNotEchoed(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        var json = (await mailbox.SendAsync("""{"jsonrpc":"2.0","id":17,"other":[{}],"method":"info","params":{}}""")).ShouldBeJson();

        Assert.Equal(["hf", "t", "timestamp", "version"], json.Names());
    }

    [Theory, Everywhere]
    public async Task Members_InAnyOrder_AreFound(Store store, Transport via) =>
        (await (await MailboxAsync(store, via)).SendAsync("""{ "params" : { } , "id" : null , "method" : "info" }""")).ShouldBeJson();

    [Theory, Everywhere]
    public async Task Names_WithEscapes_AreTheSameNames(Store store, Transport via) =>
        (await (await MailboxAsync(store, via)).SendAsync("""{"\u006dethod":"\u0069nfo","p\u0061rams":{}}""")).ShouldBeJson();

    [Theory, Everywhere]
    public async Task Reply_OfASuccess_IsCompactJson(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        await mailbox.StoreAsync("x");

        var answer = await mailbox.CallAsync("retrieve", mailbox.RetrieveOf());

        answer.ShouldBeJson();
        answer.Should(!answer.Text.Any(char.IsWhiteSpace), "no spaces");
    }

    [Theory, OnEveryStore]
    public async Task Reply_OfAFailure_IsTextPlainAndOfASuccessJson(Store store)
    {
        var mailbox = await MailboxAsync(store, Transport.Direct);

        var failure = await mailbox.SendAsync("{}");
        failure.Should(failure.ContentType is "text/plain", "Content-Type: text/plain");
        var success = await mailbox.CallAsync("info", []);
        success.Should(success.ContentType is "application/json", "Content-Type: application/json");
    }

    [Theory, Everywhere]
    public async Task Failure_OfDeleteWithRequired_CarriesJson(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);
        var delete = mailbox.DeleteOf([mailbox.Account.HashOf("nothing"u8)]).With("required", true);

        Assert.Equal(["hf", "swarm", "t"], (await mailbox.CallAsync("delete", delete)).ShouldBeJson(404).Names());
    }

    [Theory, Everywhere]
    public async Task Params_WithStrayMembers_AreAccepted(Store store, Transport via)
    {
        var mailbox = await MailboxAsync(store, via);

        await mailbox.CallOkAsync("get_swarm", mailbox.Anonymous().With("params", new JsonObject { ["pubkey"] = 5 }));
        await mailbox.CallOkAsync("retrieve", mailbox.RetrieveOf().With("maxSize", -1).With("pubkeyEd25519", 7).With("", "x"));
    }
}
