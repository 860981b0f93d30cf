using Session.Orleans.Client;
using Session.Orleans.Client.Communities;
using Session.Orleans.Client.Names;
using Session.Orleans.Protocol.Communities;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.EndToEnd.Tests.Communities;

/// <summary>The client library in communities and with names, against a real network; every route through onions and directly.</summary>
[Collection(SharedNetwork.Name)]
public sealed class ClientCommunityTests(NetworkFixture fixture) : IAsyncLifetime
{
    private readonly TestNetwork _network = fixture.Network;
    private readonly LossyHandler _handler = new();
    private SessionNetwork _shared = null!;

    public static TheoryData<CommunityRoute> Routes => [CommunityRoute.Onion, CommunityRoute.Direct];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _shared = await SessionNetwork.ConnectAsync(
        new SessionNetworkOptions { Seeds = [_network.Process.Seed], Handler = _handler, RequestTimeout = TimeSpan.FromSeconds(30) }, Cancellation);

    public ValueTask DisposeAsync()
    {
        _shared.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory, MemberData(nameof(Routes))]
    public async Task Members_PostAnswerEditReactAndDelete(CommunityRoute route)
    {
        var url = await CreateRoomAsync();
        var (alice, bob) = (Create(), Create());
        await alice.SetDisplayNameAsync("Alice", Cancellation);
        var (hers, his) = (await alice.JoinCommunityAsync(url, route, Cancellation), await bob.JoinCommunityAsync(url, route, Cancellation));
        Assert.Equal(["blind", "reactions", "sogs"], hers.Server.Capabilities);
        Assert.Equal((true, true, true, false), (hers.Info.MayRead, hers.Info.MayWrite, hers.Info.MayUpload, hers.Info.IsModerator));
        Assert.Equal(0x15, hers.Server.Id.Prefix);
        Assert.Contains(await hers.Server.GetRoomsAsync(Cancellation), room => room.Token == hers.Token);
        Assert.Empty(await his.Server.PollAsync(Cancellation));

        var posted = await hers.PostAsync("Hello, room ☃", Cancellation);
        var heard = Assert.IsType<CommunityPost>(Assert.Single(await his.Server.PollAsync(Cancellation)));
        Assert.Equal((posted.Id, hers.Server.Id, "Hello, room ☃", "Alice", null), (heard.Id, heard.Author, heard.Body, heard.AuthorName, heard.Edited));
        Assert.Equal(posted.MessageId, heard.MessageId);
        Assert.Empty(await his.Server.PollAsync(Cancellation));

        var answer = await his.PostAsync(new CommunityDraft { Body = "Hi", Quote = heard }, Cancellation);
        Assert.True(await his.ReactAsync(posted.Id, "🍍", cancellationToken: Cancellation));
        Assert.False(await his.ReactAsync(posted.Id, "🍍", cancellationToken: Cancellation));
        Assert.Equal(heard.MessageId, (await hers.FindAsync(answer.Id, Cancellation))!.Quote);
        await hers.EditAsync(posted.Id, "Hello again", Cancellation);
        Assert.True(await his.ReactAsync(answer.Id, "x%2?", cancellationToken: Cancellation));
        Assert.Collection(
            (await hers.Server.PollAsync(Cancellation)).Cast<CommunityPost>(), // her first round: the latest messages
            post => Assert.Equal(("Hello again", "🍍", 1, his.Server.Id), (post.Body, post.Reactions[0].Emoji, post.Reactions[0].Count, post.Reactions[0].Reactors[0])),
            post => Assert.Equal(("Hi", "x%2?", false), (post.Body, post.Reactions[0].Emoji, post.Reactions[0].IsOwn)));
        Assert.Collection(
            await his.Server.PollAsync(Cancellation),
            change => Assert.NotNull(Assert.IsType<CommunityPost>(change).Edited),
            change => Assert.Equal(("Hi", true), (((CommunityPost)change).Body, ((CommunityPost)change).Reactions[0].IsOwn)));

        Assert.True(await his.ReactAsync(posted.Id, "🍍", remove: true, Cancellation));
        await his.DeleteAsync(answer.Id, Cancellation);
        Assert.Collection(
            await hers.Server.PollAsync(Cancellation),
            change => Assert.Empty(Assert.IsType<CommunityReactionChange>(change).Reactions),
            change => Assert.Equal(answer.Id, Assert.IsType<CommunityDeletion>(change).Id));
        Assert.Null(await hers.FindAsync(answer.Id, Cancellation));
        Assert.Equal(404, (await Assert.ThrowsAsync<SessionClientException>(() => his.EditAsync(answer.Id, "x", Cancellation))).Status);
        Assert.Equal("Hello again", Assert.Single(await hers.GetRecentAsync(cancellationToken: Cancellation)).Body);
        Assert.Empty(await hers.GetBeforeAsync(posted.Id, cancellationToken: Cancellation));
        Assert.Equal([posted.Id], (await hers.GetSinceAsync(0, cancellationToken: Cancellation)).Select(change => change.Id));
    }

    [Theory, MemberData(nameof(Routes))]
    public async Task Files_AreUploadedAttachedAndDownloaded(CommunityRoute route)
    {
        var url = await CreateRoomAsync();
        var (hers, his) = (await Create().JoinCommunityAsync(url, route, Cancellation), await Create().JoinCommunityAsync(url, route, Cancellation));
        var bytes = new byte[200_000];
        new Random(5).NextBytes(bytes);

        var file = await hers.UploadAsync(bytes, "noise.bin", "application/x-noise", Cancellation);
        await hers.PostAsync(new CommunityDraft { Files = [file] }, Cancellation);
        var received = Assert.IsType<CommunityPost>(Assert.Single(await his.Server.PollAsync(Cancellation))).Files.Single();

        Assert.Equal((file.Id, file.Url, "noise.bin", "application/x-noise", 200_000u), (received.Id, received.Url, received.FileName, received.ContentType, received.Size));
        Assert.Equal(bytes, await his.DownloadAsync(received.Id, Cancellation));
        Assert.Equal(404, (await Assert.ThrowsAsync<SessionClientException>(() => his.DownloadAsync(long.MaxValue, Cancellation))).Status);
    }

    [Theory, MemberData(nameof(Routes))]
    public async Task DirectMessages_ReachTheMemberAlone_AndProveTheSender(CommunityRoute route)
    {
        var url = await CreateRoomAsync();
        var (alice, bob) = (Create(), Create());
        var (hers, his) = (await alice.JoinCommunityAsync(url, route, Cancellation), await bob.JoinCommunityAsync(url, route, Cancellation));
        await hers.PostAsync("who am I?", Cancellation);
        var author = ((CommunityPost)Assert.Single(await his.Server.PollAsync(Cancellation))).Author;

        var sent = await his.Server.SendTextAsync(author, "Hello, stranger", Cancellation);
        var received = Assert.Single((await hers.Server.PollAsync(Cancellation)).OfType<CommunityDirectMessage>());
        Assert.Equal((sent.Id, his.Server.Id, bob.Id, "Hello, stranger", false), (received.Id, received.Sender, received.SenderAccount, received.Body, received.IsOutgoing));
        Assert.Empty(await hers.Server.PollAsync(Cancellation));
        var own = Assert.Single((await his.Server.PollAsync(Cancellation)).OfType<CommunityDirectMessage>());
        Assert.Equal((true, author, "Hello, stranger", bob.Id), (own.IsOutgoing, own.Recipient, own.Body, own.SenderAccount));

        // Now they can talk outside the community.
        await alice.SendTextAsync(received.SenderAccount, "Hello outside", Cancellation);
        Assert.Equal("Hello outside", Assert.Single((await bob.PollAsync(Cancellation)).OfType<IncomingText>()).Body);

        Assert.Equal([sent.Id], (await hers.Server.GetInboxAsync(cancellationToken: Cancellation)).Select(message => message.Id));
        Assert.Empty(await hers.Server.GetInboxAsync(sent.Id, Cancellation));
        Assert.Equal(1, await hers.Server.ClearInboxAsync(Cancellation));
        Assert.Empty(await hers.Server.GetInboxAsync(cancellationToken: Cancellation));
        var nobody = new BlindedKeyPair(Ed25519KeyPair.Generate(), hers.Server.Key).Id;
        Assert.Equal(404, (await Assert.ThrowsAsync<SessionClientException>(() => hers.Server.SendTextAsync(nobody, "x", Cancellation))).Status);
        await Assert.ThrowsAsync<ArgumentException>(() => hers.Server.SendTextAsync(bob.Id, "x", Cancellation));
    }

    /// <summary>The request has arrived and its reply is lost: it is sent again, refused for its nonce, and found to be done.</summary>
    [Theory, MemberData(nameof(Routes))]
    public async Task LostReplies_MakeNoSecondMessage(CommunityRoute route)
    {
        var url = await CreateRoomAsync();
        var (hers, his) = (await Create().JoinCommunityAsync(url, route, Cancellation), await Create().JoinCommunityAsync(url, route, Cancellation));
        await hers.PostAsync("first", Cancellation);

        _handler.LoseReplies(1);
        var second = await hers.PostAsync("second", Cancellation);
        Assert.Equal(0, _handler.ToLose);
        Assert.Equal(["second", "first"], (await his.GetRecentAsync(cancellationToken: Cancellation)).Select(post => post.Body));
        Assert.Equal(second.Id, (await his.GetRecentAsync(cancellationToken: Cancellation))[0].Id);

        _handler.LoseReplies(1);
        var sent = await his.Server.SendTextAsync(hers.Server.Id, "once", Cancellation);
        Assert.Equal(0, _handler.ToLose);
        Assert.Equal([sent.Id], (await hers.Server.GetInboxAsync(cancellationToken: Cancellation)).Select(message => message.Id));

        _handler.LoseReplies(1);
        await hers.EditAsync(second.Id, "second, edited", Cancellation);
        Assert.Equal(0, _handler.ToLose);
        Assert.Equal("second, edited", (await his.FindAsync(second.Id, Cancellation))!.Body);
    }

    [Theory, MemberData(nameof(Routes))]
    public async Task Refusals_AreToldWithTheirStatus(CommunityRoute route)
    {
        var url = await CreateRoomAsync("write");
        var client = Create();
        var room = await client.JoinCommunityAsync(url, route, Cancellation);
        Assert.Equal((true, false), (room.Info.MayRead, room.Info.MayWrite));
        Assert.Equal(403, (await Assert.ThrowsAsync<SessionClientException>(() => room.PostAsync("x", Cancellation))).Status);
        Assert.Equal(403, (await Assert.ThrowsAsync<SessionClientException>(() => room.UploadAsync(new byte[5], cancellationToken: Cancellation))).Status);
        Assert.Equal(404, (await Assert.ThrowsAsync<SessionClientException>(() => client.JoinCommunityAsync(url.Replace(room.Token, "nobody-knows-it", StringComparison.Ordinal), route, Cancellation))).Status);
        await Assert.ThrowsAsync<FormatException>(() => client.JoinCommunityAsync("http://127.0.0.1/x", route, Cancellation));

        // A URL with another server's key: nothing is signed for it that this one takes.
        var key = url[^64..];
        var wrong = url.Replace(key, X25519KeyPair.Generate().PublicKey.ToString(), StringComparison.Ordinal);
        await Assert.ThrowsAsync<SessionClientException>(() => Create().JoinCommunityAsync(wrong, route, Cancellation));
        var dead = $"http://127.0.0.1:{fixture.DeadPort}/x?public_key={key}";
        await Assert.ThrowsAsync<SessionClientException>(() => Create().JoinCommunityAsync(dead, route, Cancellation));
    }

    [Theory, MemberData(nameof(Routes))]
    public async Task Moderators_PermitPinBanAndPurge(CommunityRoute route)
    {
        var url = await CreateRoomAsync("write", "upload");
        var (hers, his) = (await Create().JoinCommunityAsync(url, route, Cancellation), await Create().JoinCommunityAsync(url, route, Cancellation));
        await RunAsync($"communities grant {hers.Token} {hers.Server.Id} --rank admin");
        Assert.Equal([new CommunityRoomChange(hers)], await hers.Server.PollAsync(Cancellation));
        Assert.True(hers.Info is { IsAdmin: true, IsModerator: true });

        Assert.Equal(new(Write: true), await hers.SetPermissionsAsync(his.Server.Id, new(Write: true), Cancellation));
        Assert.Contains(new CommunityRoomChange(his), await his.Server.PollAsync(Cancellation));
        Assert.Equal((true, false), (his.Info.MayWrite, his.Info.MayUpload));
        var post = await his.PostAsync("mine", Cancellation);
        await hers.PinAsync(post.Id, Cancellation);
        Assert.Equal([post.Id], (await his.RefreshAsync(Cancellation)).Pinned);
        await hers.UnpinAsync(post.Id, Cancellation);
        await hers.RenameAsync("The hall", "for all", Cancellation);
        Assert.Equal(("The hall", "for all"), ((await his.RefreshAsync(Cancellation)).Name, his.Info.Description));
        await hers.PostAsync(new CommunityDraft { Body = "for you", WhisperTo = his.Server.Id }, Cancellation);
        Assert.True((await his.GetRecentAsync(cancellationToken: Cancellation))[0].IsWhisper);
        await hers.SetRankAsync(his.Server.Id, moderator: true, cancellationToken: Cancellation);
        Assert.Equal([his.Server.Id.ToString()], (await hers.RefreshAsync(Cancellation)).Moderators);
        await hers.SetRankAsync(his.Server.Id, moderator: false, cancellationToken: Cancellation);

        await hers.BanAsync(his.Server.Id, cancellationToken: Cancellation);
        await hers.DeleteAllAsync(his.Server.Id, Cancellation);
        Assert.DoesNotContain(await hers.GetRecentAsync(cancellationToken: Cancellation), message => message.Author == his.Server.Id);
        var lost = Assert.Single((await his.Server.PollAsync(Cancellation)).OfType<CommunityRoomLost>());
        Assert.Equal((his, 403), (lost.Room, lost.Status));
        Assert.Empty(his.Server.Rooms);
        await hers.UnbanAsync(his.Server.Id, Cancellation);
        Assert.NotNull(await his.Server.JoinAsync(his.Token, Cancellation));
    }

    [Fact]
    public async Task PostsWithAWrongSignature_AreLeftOut_AndNotAskedForAgain()
    {
        var url = await CreateRoomAsync();
        var room = await Create().JoinCommunityAsync(url, CommunityRoute.Direct, Cancellation);
        await room.Server.PollAsync(Cancellation);
        var forger = new CommunityClient(_network);
        (await forger.PostRawAsync(room.Token, "x", draft => draft["signature"] = Convert.ToBase64String(new byte[64]))).Expect(201);
        (await forger.PostRawAsync(room.Token, "signed, but no content")).Expect(201);
        await room.PostAsync("true", Cancellation);
        Assert.Equal("true", Assert.IsType<CommunityPost>(Assert.Single(await room.Server.PollAsync(Cancellation))).Body);
        Assert.Empty(await room.Server.PollAsync(Cancellation));
    }

    [Fact]
    public async Task Incoming_BringsMoreThanOnePage_InOrder()
    {
        var url = await CreateRoomAsync();
        var (hers, his) = (await Create().JoinCommunityAsync(url, CommunityRoute.Direct, Cancellation), await Create().JoinCommunityAsync(url, CommunityRoute.Direct, Cancellation));
        await RunAsync($"communities grant {hers.Token} {hers.Server.Id} --rank admin"); // no rate limit
        await his.Server.PollAsync(Cancellation);
        for (var i = 0; i < 205; i++)
            await hers.PostAsync($"{i}", Cancellation);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        var bodies = new List<string>();
        await foreach (var happened in his.Server.IncomingAsync(TimeSpan.FromMilliseconds(50), limit.Token))
        {
            if (happened is CommunityPost post)
                bodies.Add(post.Body);
            if (bodies.Count == 205)
                await hers.PostAsync("last", Cancellation);
            if (bodies.Count == 206)
                break;
        }

        Assert.Equal([.. Enumerable.Range(0, 205).Select(i => $"{i}"), "last"], bodies);
    }

    [Fact]
    public async Task ServerWithoutBlinding_KnowsMembersByTheirSessionId()
    {
        await using var process = await TestnetProcess.StartAsync(null, "--room hall", 5, new Dictionary<string, string> { ["SESSION_Communities__RequireBlinded"] = "false" });
        var url = $"{process.Description.GetProperty("communityUrl").GetString()!.TrimEnd('/')}/hall?public_key={process.Description.GetProperty("communityX25519").GetString()}";
        using var network = await SessionNetwork.ConnectAsync(process.Seed, Cancellation);
        var (alice, bob) = (new SessionClient(network, SessionIdentity.Create()), new SessionClient(network, SessionIdentity.Create()));
        var (hers, his) = (await alice.JoinCommunityAsync(url, cancellationToken: Cancellation), await bob.JoinCommunityAsync(url, cancellationToken: Cancellation));
        Assert.Equal(["reactions", "sogs"], hers.Server.Capabilities);
        await hers.PostAsync("it's me", Cancellation);
        var post = Assert.IsType<CommunityPost>(Assert.Single(await his.Server.PollAsync(Cancellation)));
        Assert.Equal((alice.Id, "it's me"), (post.Author, post.Body));
    }

    [Fact]
    public async Task Name_IsResolvedByThreeNodes_AndWrittenTo()
    {
        using var http = SessionHttp.Create();
        var (alice, bob) = (Create(), Create());
        var name = $"n{Guid.NewGuid():N}";
        Assert.Equal(404, (await Assert.ThrowsAsync<SessionClientException>(() => alice.SendTextAsync(name, "x", Cancellation))).Status);
        await new NameRegistry(http, _network.Process.Seed).BuyAsync(name, bob.Id, bob.Identity.Keys, cancellationToken: Cancellation);

        var sent = await alice.SendTextAsync(name.ToUpperInvariant(), "Hello, name", Cancellation);
        Assert.Equal(bob.Id, sent.Conversation);
        Assert.Equal("Hello, name", Assert.Single((await bob.PollAsync(Cancellation)).OfType<IncomingText>()).Body);
        Assert.Equal(bob.Id, await alice.ResolveAsync(bob.Id.ToString(), Cancellation));
        await Assert.ThrowsAsync<SessionClientException>(() => alice.ResolveAsync("no name!", Cancellation));

        // Lost replies are asked for elsewhere.
        _handler.LoseReplies(2);
        Assert.Equal(bob.Id, await alice.ResolveAsync(name, Cancellation));
        Assert.Equal(0, _handler.ToLose);
    }

    private SessionClient Create() => new(_shared, SessionIdentity.Create());

    private async Task<string> CreateRoomAsync(params string[] denied) =>
        (await RunAsync($"communities create r{Guid.NewGuid():N}{(denied.Length > 0 ? $" --deny {string.Join(',', denied)}" : "")}")).Trim();

    private async Task<string> RunAsync(string arguments)
    {
        var result = await TestnetProcess.RunAsync($"{arguments} --data \"{_network.Process.Directory}\"");
        Assert.True(result.ExitCode == 0, result.Error);
        return result.Output;
    }
}
