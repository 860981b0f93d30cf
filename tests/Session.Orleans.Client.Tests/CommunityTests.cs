using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Google.Protobuf;
using Session.Orleans.Client.Communities;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;

namespace Session.Orleans.Client.Tests;

/// <summary>What a client makes of a community server's words (communities.md, 6.1, 7.1 and 9); the server may be hostile.</summary>
public sealed class CommunityTests : IAsyncLifetime
{
    private readonly SessionIdentity _other = SessionIdentity.Create();
    private SessionNetwork _network = null!;
    private SessionClient _client = null!;
    private CommunityRoom _room = null!;
    private BlindedKeyPair _author = null!;

    public async ValueTask InitializeAsync()
    {
        _network = await new FakeNetwork(4, TimeProvider.System).ConnectAsync();
        _client = new(_network, SessionIdentity.Create());
        var server = new CommunityServer(_client, new("http://server.test"), X25519KeyPair.Generate().PublicKey, CommunityRoute.Onion);
        _room = new(server, new("lobby", "Lobby"));
        _author = new(_other.Keys, server.Key);
    }

    public ValueTask DisposeAsync()
    {
        _network.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(PaddingStyle.Current)]
    [InlineData(PaddingStyle.Older)]
    public void Post_OfEitherPadding_IsRead(PaddingStyle style)
    {
        var post = Assert.IsType<CommunityPost>(Read(Message(style)));
        Assert.Equal((7, 9, _author.Id, "hi", 1_700_000_000_123L), (post.Id, post.Sequence, post.Author, post.Body, post.Posted.ToUnixTimeMilliseconds()));
        Assert.Equal([("a", 2, true), ("b", 1, false)], post.Reactions.Select(reaction => (reaction.Emoji, reaction.Count, reaction.IsOwn)));
        Assert.Equal((5, "p.png", 3u), (post.Files.Single().Id, post.Files.Single().FileName, post.Files.Single().Size));
    }

    [Fact]
    public void Post_OfSomebodyElse_IsNot()
    {
        var forged = Message();
        forged["session_id"] = new BlindedKeyPair(_client.Identity.Keys, _room.Server.Key).Id.ToString();
        Assert.Null(Read(forged));
        var altered = Message();
        altered["data"] = Convert.ToBase64String([.. altered["data"]!.GetValue<string>() is var text ? Convert.FromBase64String(text) : [], 0]);
        Assert.Null(Read(altered));
    }

    [Fact]
    public void Rows_OfOtherKinds_AreTold()
    {
        Assert.Equal(new CommunityDeletion(_room, 7, 9), Read(JsonNode.Parse("""{"id":7,"seqno":9,"data":null,"deleted":true,"session_id":"15"}""")!));
        Assert.Empty(Assert.IsType<CommunityReactionChange>(Read(JsonNode.Parse("""{"id":7,"seqno":9,"reactions":{}}""")!)).Reactions);
    }

    [Fact]
    public void DirectMessage_OfAnotherSender_IsLeftOut()
    {
        var own = new BlindedKeyPair(_client.Identity.Keys, _room.Server.Key);
        var content = MessagePadding.Pad(new Content { DataMessage = new() { Body = "psst" } }.ToByteArray(), PaddingStyle.Older);
        var row = new JsonObject
        {
            ["id"] = 3,
            ["sender"] = _author.Id.ToString(),
            ["recipient"] = own.Id.ToString(),
            ["posted_at"] = 1_700_000_000.5,
            ["message"] = Convert.ToBase64String(BlindedMessage.Seal(content, _other.Keys, _author, own.Id)),
        };
        var message = CommunityReading.ReadDirect(_room.Server, _client.Identity, own, ToElement(row))!;
        Assert.Equal((_other.Id, "psst", false), (message.SenderAccount, message.Body, message.IsOutgoing));
        row["sender"] = new BlindedKeyPair(Ed25519KeyPair.Generate(), _room.Server.Key).Id.ToString();
        Assert.Null(CommunityReading.ReadDirect(_room.Server, _client.Identity, own, ToElement(row)));
    }

    /// <summary>Valid rows with any member replaced by anything: something is made of it or nothing, and nothing is thrown.</summary>
    [Fact]
    public void AnyRow_IsReadOrPassedOver()
    {
        var own = new BlindedKeyPair(_client.Identity.Keys, _room.Server.Key);
        string[] names = ["id", "seqno", "session_id", "posted", "edited", "data", "signature", "reactions", "deleted", "sender", "recipient", "posted_at", "message",
            "\\ud800", "token", "name", "pinned_messages", "moderators", "read", "details", "info_updates"];
        string[] values = ["null", "true", "-1", "1e400", "0.5", "\"\"", "\"15\"", "\"AAAA\"", "\"=\"", "\"\\ud800\"", "[]", "[1,null,\"x\",{}]", "{}", "{\"\\ud800\":{}}", "{\"x\":null,\"y\":{\"count\":1e99,\"reactors\":[5]}}",
            "99999999999999999999", $"\"{_author.Id}\"", "1700000000"];
        Gen.Select(Gen.OneOf(names), Gen.OneOf(values)).Array[0, 6].Sample(changes =>
        {
            var text = new StringBuilder(Message().ToJsonString());
            foreach (var (name, value) in changes)
                text.Insert(text.Length - 1, $",\"{name}\":{value}"); // the last of two members of one name counts
            var json = JsonElement.Parse(text.ToString());
            _ = CommunityReading.ReadMessage(_room, json);
            _ = CommunityReading.ReadRoom(json);
            _ = CommunityReading.ReadDirect(_room.Server, _client.Identity, own, json);
            _ = CommunityReading.ReadPermissions(json);
            _ = _room.Learn(json);
        });
    }

    /// <summary>A content that its author signed may be anything, too.</summary>
    [Fact]
    public void AnyContent_IsReadOrPassedOver() => Gen.Byte.Array[0, 80].Sample(data =>
    {
        var row = Message();
        var signature = new byte[64];
        _author.Sign(data, signature);
        row["data"] = Convert.ToBase64String(data);
        row["signature"] = Convert.ToBase64String(signature);
        _ = Read(row);
    });

    private CommunityMessageEvent? Read(JsonNode row) => CommunityReading.ReadMessage(_room, ToElement(row));

    private static JsonElement ToElement(JsonNode node) => JsonElement.Parse(node.ToJsonString());

    private JsonObject Message(PaddingStyle style = PaddingStyle.Older)
    {
        var message = new DataMessage { Body = "hi" };
        message.Attachments.Add(new AttachmentPointer { DeprecatedId = 5, Url = "http://server.test/room/lobby/file/5", FileName = "p.png", Size = 3 });
        message.Attachments.Add(new AttachmentPointer { DeprecatedId = 6, Url = "javascript:alert(1)" });
        var data = MessagePadding.Pad(new Content { DataMessage = message, SignatureTimestamp = 5 }.ToByteArray(), style);
        var signature = new byte[64];
        _author.Sign(data, signature);
        return new()
        {
            ["id"] = 7,
            ["seqno"] = 9,
            ["session_id"] = _author.Id.ToString(),
            ["posted"] = 1_700_000_000.123,
            ["data"] = Convert.ToBase64String(data),
            ["signature"] = Convert.ToBase64String(signature),
            ["reactions"] = JsonNode.Parse("""{"b":{"index":1,"count":1},"a":{"index":0,"count":2,"you":true}}"""),
        };
    }
}
