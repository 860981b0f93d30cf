using System.Text;
using CsCheck;
using Session.Orleans.Load.Ledger;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Plan;
using Session.Orleans.Load.Results;
using Session.Orleans.Load.Users;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;

namespace Session.Orleans.Load.Tests;

/// <summary>Posts in communities: read from answers, checked, entered in the ledger; and nobody posts more than servers take.</summary>
public sealed class CommunityTests
{
    private const int Reader = 3;
    private static readonly CommunityUrl Url = new("http://host", "room", Ed25519KeyPair.Generate().X25519.PublicKey);

    private readonly BlindedKeyPair _author = new(Ed25519KeyPair.Generate(), Url.Server);
    private readonly MessageLedger _ledger = new(lateAfter: TimeSpan.FromSeconds(5));
    private readonly RunMessages _messages = NewMessages();
    private readonly PostReading _reading;

    /// <summary>A ledger of its own for each test.</summary>
    public CommunityTests() => _reading = new(_ledger, new(TimeSpan.FromSeconds(60), TimeSpan.Zero), _messages);

    [Fact]
    public void Post_SeenOnceByEachReader_IsDelivered()
    {
        var (post, _) = Send(_messages, readers: [Reader, 4]);

        Assert.Equal(Delivery.InTime, Take(post, Reader));
        Assert.Equal(1, _ledger.Totals().Lost);
        Assert.Equal(Delivery.InTime, Take(post, 4));

        Assert.Equal(LedgerTotals.Empty with { Expected = 2, Delivered = 2 }, _ledger.Totals());
    }

    [Fact]
    public void Post_ComingAgain_UnderItsOwnOrAnotherNumber_IsADuplicate()
    {
        var (post, _) = Send(_messages, readers: [Reader]);
        _ = Take(post, Reader);

        Assert.Equal(Delivery.Duplicated, Take(post, Reader));
        Assert.Equal(Delivery.Duplicated, Take(post with { Id = 77, Sequence = 78 }, Reader));

        Assert.Equal(LedgerTotals.Empty with { Expected = 1, Delivered = 1, Duplicated = 2 }, _ledger.Totals());
    }

    [Fact]
    public void Post_ThatSomethingChanged_IsCorrupted_AndTheOneThatWasSentIsLost()
    {
        var (post, _) = Send(_messages, readers: [Reader]);
        post.Data![9] ^= 1;

        Assert.Equal(Delivery.Corrupted, Take(post, Reader));
        Assert.Equal(Delivery.Corrupted, Take(post with { Data = null }, Reader));

        Assert.Equal(LedgerTotals.Empty with { Expected = 1, Lost = 1, Corrupted = 2 }, _ledger.Totals());
    }

    [Fact]
    public void Post_OfAnotherRun_IsForeign_AndOneOfThisRunThatNobodySentADuplicate()
    {
        var (foreign, _) = Send(NewMessages(), readers: []);
        var (unknown, _) = Send(_messages, readers: []);

        Assert.Equal(Delivery.Foreign, Take(foreign, Reader));
        Assert.Equal(Delivery.Duplicated, Take(unknown, Reader));
    }

    [Fact]
    public void Turns_AreAsManyAsServersTake()
    {
        var reader = new RoomReader(new(Url, [0, 1]), new(NewUser(), new(new("http://host"), Url.Server)));
        var start = TimeSpan.FromSeconds(1);

        Assert.All(Enumerable.Range(0, RoomReader.Turns), i => Assert.True(reader.TryTakeTurn(start + TimeSpan.FromSeconds(i))));
        Assert.False(reader.TryTakeTurn(start + TimeSpan.FromSeconds(16)));
        Assert.True(reader.TryTakeTurn(start + RoomReader.TurnWindow));
        Assert.False(reader.TryTakeTurn(start + RoomReader.TurnWindow));
    }

    [Fact]
    public void Reader_BeginsWhereTheRoomWasBeforeTheRun()
    {
        var room = new LoadRoom(Url, [0, 1]);
        var reader = new RoomReader(room, new(NewUser(), room.Server));
        room.Start = 41;

        Assert.Equal(41, reader.Cursor);
        reader.Cursor = 50;
        Assert.Equal(50, reader.Cursor);
    }

    [Fact]
    public void Rooms_HaveTheirMembers_AndMembersTheirRooms()
    {
        var plan = new LoadPlan { Users = 40, Communities = new() { Members = Distribution.Fixed(9) }, Names = new() { Count = 3, Share = 0.5 } };

        var population = new Population(plan, Shard.Whole, [Url, Url with { Token = "other" }, Url with { Base = "http://elsewhere" }]);

        Assert.All(population.Rooms, room => Assert.Equal(9, room.Members.Distinct().Count()));
        foreach (var room in population.Rooms)
            Assert.Equal(room.Members, population.Users.Where(user => user.Communities.Any(at => at.Rooms.Any(one => one.Room == room))).Select(user => user.Number));
        Assert.All(population.Users, user => Assert.Equal(user.Communities.Count, user.Communities.DistinctBy(at => at.Server).Count()));
        Assert.Equal(["load-1-0", "load-1-1", "load-1-2"], population.Names.Select(name => name.Text));
        Assert.InRange(Enumerable.Range(0, 1000).Count(_ => population.DrawName(population.Users[7]) is not null), 400, 600);
    }

    [Fact]
    public void Page_HasPosts_AndTheLargestSequenceNumberOfAllChanges()
    {
        var (post, _) = Send(_messages, readers: []);
        var json = $$$"""
            [{"id":5,"seqno":8,"reactions":{}},{"id":4,"seqno":9,"session_id":"{{{post.Author}}}","deleted":true,"data":null},
             {"id":6,"seqno":7,"session_id":"{{{post.Author}}}","data":"{{{Convert.ToBase64String(post.Data!)}}}","signature":"{{{Convert.ToBase64String(post.Signature!)}}}"}]
            """;

        Assert.True(CommunityAnswers.TryReadPage(Encoding.UTF8.GetBytes(json), out var page));

        Assert.Equal((9, 3), (page.Last, page.Count));
        var read = Assert.Single(page.Posts);
        Assert.Equal((6, 7, post.Author), (read.Id, read.Sequence, read.Author));
        Assert.Equal(post.Data, read.Data);
    }

    [Fact]
    public void Batch_HasAsManyAnswersAsWereAsked()
    {
        var body = """[{"code":200,"headers":{},"body":{"capabilities":["sogs"]}},{"code":403}]"""u8.ToArray();
        var two = new BatchAnswer[2];

        Assert.True(CommunityAnswers.TryReadBatch(body, two));
        Assert.Equal((200, 403), (two[0].Status, two[1].Status));
        Assert.Equal("""{"capabilities":["sogs"]}""", Encoding.UTF8.GetString(two[0].Body.Span));
        Assert.False(CommunityAnswers.TryReadBatch(body, new BatchAnswer[3]));
    }

    [Theory]
    [InlineData("""{"token":"a","message_sequence":12,"read":true,"write":true}""", true, 12, true)]
    [InlineData("""{"token":"a","message_sequence":0,"read":true,"write":false}""", true, 0, false)]
    [InlineData("""{"token":"a"}""", false, 0, false)]
    [InlineData("[]", false, 0, false)]
    public void Room_TellsWhereItIs_AndWhatOneMay(string json, bool isRoom, long sequence, bool mayUse)
    {
        Assert.Equal(isRoom, CommunityAnswers.TryReadRoom(Encoding.UTF8.GetBytes(json), out var read, out var may));
        Assert.Equal((sequence, mayUse), (read, may));
    }

    [Fact]
    public void AnyAnswer_IsReadOrRefused() => Gen.OneOf(
        Gen.Byte.Array[0, 80],
        Gen.Select(Gen.Int[0, 200], Gen.Byte).Select((at, by) =>
        {
            var json = """[{"id":6,"seqno":7,"session_id":"\ud800","data":"AAAA","signature":"AAAA","code":200,"body":{"message_sequence":3,"read":true}}]"""u8.ToArray();
            json[at % json.Length] = by;
            return json;
        })).Sample(body =>
        {
            _ = CommunityAnswers.TryReadBatch(body, new BatchAnswer[1]);
            if (CommunityAnswers.TryReadPage(body, out var page))
            {
                foreach (var post in page.Posts)
                    _ = Take(post, Reader);
            }

            _ = CommunityAnswers.TryReadPost(body, out _);
            _ = CommunityAnswers.TryReadRoom(body, out _, out _);
        }, iter: 5000);

    [Fact]
    public void AnyAnswerAboutAName_IsSuccessOrAnError()
    {
        var name = new LoadName("load-1-1", NewUser());
        Gen.OneOf(Gen.Byte.Array[0, 60], Gen.Select(Gen.Int[0, 200], Gen.Byte).Select((at, by) =>
        {
            var json = """{"results":[{"code":200,"body":{"result":{"encrypted_value":"00ff","nonce":"00"},"t":1}}]}"""u8.ToArray();
            json[at % json.Length] = by;
            return json;
        })).Sample(body => Assert.NotNull(NameActions.Check(name, body)), iter: 5000);
    }

    private Delivery Take(in RoomPost post, int reader) => _reading.Take(post, reader, onlineSince: TimeSpan.Zero, at: TimeSpan.FromSeconds(3));

    private (RoomPost Post, SentMessage Message) Send(RunMessages messages, int[] readers)
    {
        var content = messages.CreatePost(NewUser());
        var data = MessagePadding.Pad(content, PaddingStyle.Older);
        var signature = new byte[64];
        _author.Sign(data, signature);
        var message = _ledger.Open(PostReading.HashOf(_author.Id, data), readers, content, TimeSpan.FromSeconds(1));
        _ledger.Confirm(message, TimeSpan.FromSeconds(2));
        return (new(1, 1, _author.Id, data, signature), message);
    }

    private static RunMessages NewMessages() => new(Distribution.Fixed(60), new(TimeProvider.System));

    private static VirtualUser NewUser() => new(0, Ed25519KeyPair.Generate(), new(1));
}
