using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;
using Session.Orleans.Client;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>The client library against a real network: what two or three people do with it, and what it does when something breaks.</summary>
[Collection(SharedNetwork.Name)]
public sealed class ClientTests(NetworkFixture fixture) : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly TestNetwork _network = fixture.Network;
    private readonly LossyHandler _handler = new();
    private SessionNetwork _shared = null!;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _shared = await ConnectAsync(_handler);

    public async ValueTask DisposeAsync()
    {
        _shared.Dispose();
        (await AskAdminAsync(HttpMethod.Delete, "/v1/faults")).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task TwoAccounts_Talk()
    {
        var (alice, bob) = (Create(), Create());
        await alice.SetDisplayNameAsync("Alice", Cancellation);

        var sent = await alice.SendTextAsync(bob.Id, "Hello, Bob ☃", Cancellation);
        var received = Assert.IsType<IncomingText>(Assert.Single(await bob.PollAsync(Cancellation)));
        Assert.Equal((alice.Id, "Hello, Bob ☃", "Alice", true), (received.Sender, received.Body, received.SenderName, received.IsRequest));
        Assert.Equal((sent.Id, sent.Hash), (received.Id, received.Hash));
        Assert.DoesNotContain(await bob.PollAsync(Cancellation), message => message is not IncomingConfig);

        await bob.AcceptRequestAsync(alice.Id, Cancellation);
        await bob.SetTypingAsync(alice.Id, isTyping: true, Cancellation);
        await bob.MarkReadAsync([received], cancellationToken: Cancellation);
        await bob.ReactAsync(alice.Id, received.Id, "😂", cancellationToken: Cancellation);
        var answer = await bob.SendAsync(alice.Id, new() { Body = "Hi", Quote = received.Id }, Cancellation);
        await bob.UnsendAsync(answer, Cancellation);

        var back = (await alice.PollAsync(Cancellation)).Where(message => message is not IncomingConfig).OrderBy(message => message.Timestamp).ToArray();
        Assert.Collection(
            back,
            message => Assert.IsType<IncomingAcceptance>(message),
            message => Assert.True(Assert.IsType<IncomingTyping>(message).IsTyping),
            message => Assert.Equal([sent.Id.Timestamp], Assert.IsType<IncomingReceipt>(message).Timestamps),
            message => Assert.Equal((sent.Id, "😂", false), (((IncomingReaction)message).Target, ((IncomingReaction)message).Emoji, ((IncomingReaction)message).IsRemoved)),
            message => Assert.Equal(("Hi", sent.Id, false), (((IncomingText)message).Body, ((IncomingText)message).Quote, ((IncomingText)message).IsRequest)),
            message => Assert.Equal(answer.Id, Assert.IsType<IncomingUnsend>(message).Target));
        Assert.Equal((true, true), alice.Contacts.Where(contact => contact.Id == bob.Id).Select(contact => (contact.IsApproved, contact.ApprovedMe)).Single());
    }

    [Fact]
    public async Task Incoming_EnumeratesUntilItIsCancelled()
    {
        var (alice, bob) = (Create(), Create());
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(Limit);
        var first = await alice.SendTextAsync(bob.Id, "one", Cancellation);
        var texts = new List<string>();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var message in bob.IncomingAsync(limit.Token))
            {
                if (message is not IncomingText text)
                    continue;
                texts.Add(text.Body);
                if (texts.Count == 1)
                    await alice.SendAsync(bob.Id, new() { Body = "two", Quote = first.Id }, Cancellation);
                else
                    await limit.CancelAsync();
            }
        });
        Assert.Equal(["one", "two"], texts);
    }

    [Fact]
    public async Task SecondDevice_GetsSyncCopiesAndConfigs()
    {
        var (bob, identity) = (Create(), SessionIdentity.Create());
        var phone = Create(identity);
        var desktop = Create(SessionIdentity.FromRecoveryPhrase(identity.RecoveryPhrase));

        await phone.SetDisplayNameAsync("Alice", Cancellation);
        await phone.SendTextAsync(bob.Id, "from the phone", Cancellation);
        await phone.SetNicknameAsync(bob.Id, "Bobby", Cancellation);
        var messages = await desktop.PollAsync(Cancellation);

        var copy = Assert.Single(messages.OfType<IncomingText>());
        Assert.Equal((desktop.Id, bob.Id, "from the phone"), (copy.Sender, copy.Conversation, copy.Body));
        Assert.Equal(("Alice", "Bobby"), (desktop.DisplayName, desktop.Contacts.Single().Nickname));

        // Both change at the same time; both end with both changes, and one message of the config is left.
        await desktop.SetBlockedAsync(bob.Id, blocked: true, Cancellation);
        await phone.SetNicknameAsync(bob.Id, "Rob", Cancellation);
        await phone.PollAsync(Cancellation);
        await desktop.PollAsync(Cancellation);
        foreach (var device in new[] { phone, desktop })
            Assert.Equal(("Rob", true), device.Contacts.Select(contact => (contact.Nickname, contact.IsBlocked)).Single());
        var stored = await _network.RpcAsync(await _network.MemberForAsync(identity.Id), (RetrieveRequest)new RetrieveRequest { Account = identity.Id, Namespace = 3, Timestamp = TestNetwork.Now }.SignWith(identity.Keys));
        Assert.Equal(1, stored.Json.GetProperty("messages").GetArrayLength());
    }

    [Fact]
    public async Task LostReplies_AreRetriedWithoutADuplicate()
    {
        var (alice, bob) = (Create(), Create());
        await alice.SendTextAsync(bob.Id, "first", Cancellation);

        _handler.LoseReplies(2);
        var sent = await alice.SendTextAsync(bob.Id, "second", Cancellation);

        Assert.Equal(0, _handler.ToLose);
        var texts = (await bob.PollAsync(Cancellation)).OfType<IncomingText>().ToArray();
        Assert.Equal(["first", "second"], texts.OrderBy(text => text.Timestamp).Select(text => text.Body));
        Assert.Contains(texts, text => text.Hash == sent.Hash);
    }

    [Fact]
    public async Task Expiration_IsSetForBothSides_AndReadingShortensTheCopyInTheSwarm()
    {
        var (alice, bob) = (Create(), Create());
        var timer = new Expiration(ExpirationMode.AfterRead, TimeSpan.FromMinutes(5));
        await alice.SetExpirationAsync(bob.Id, timer, Cancellation);
        await alice.SendTextAsync(bob.Id, "soon gone", Cancellation);

        var messages = await bob.PollAsync(Cancellation);
        Assert.Equal(timer, Assert.Single(messages.OfType<IncomingTimerChange>()).Expiration);
        var text = Assert.Single(messages.OfType<IncomingText>());
        Assert.Equal(timer, text.Expiration);
        Assert.True(text.ExpiresMs > TestNetwork.Now + 1_000_000_000);

        await bob.MarkReadAsync([text], tellSender: false, Cancellation);
        var page = await _network.RpcAsync(await _network.MemberForAsync(bob.Id), (RetrieveRequest)new RetrieveRequest { Account = bob.Id, Timestamp = TestNetwork.Now }.SignWith(bob.Identity.Keys));
        var expiry = page.Json.GetProperty("messages").EnumerateArray().Single(message => message.GetProperty("hash").GetString() == text.Hash).GetProperty("expiration").GetInt64();
        Assert.InRange(expiry, TestNetwork.Now + 240_000, TestNetwork.Now + 300_000);
    }

    [Fact]
    public async Task GuardThatGoesOffline_IsDroppedAndThePathRebuilt()
    {
        using var network = await ConnectAsync(new LossyHandler(), TimeSpan.FromSeconds(4));
        await Create(network: network).SendTextAsync(SessionIdentity.Create().Id, "before", Cancellation);
        var guard = network.Paths.Current[0].Guard;
        // In other swarms than the guard: members wait 5 s for one of theirs, longer than this client waits.
        var (alice, bob) = (await CreateOutsideSwarmOfAsync(network, guard), await CreateOutsideSwarmOfAsync(network, guard));
        await AddFaultAsync("offline", guard);

        var sent = 0;
        var end = DateTimeOffset.UtcNow + Limit;
        while (network.Paths.Guards.Contains(guard.Ed25519) && DateTimeOffset.UtcNow < end)
        {
            await TryAsync(() => alice.SendTextAsync(bob.Id, $"message {sent}", Cancellation));
            sent++;
        }

        Assert.DoesNotContain(guard.Ed25519, network.Paths.Guards);
        Assert.DoesNotContain(network.Pool.Nodes, node => node.Ed25519 == guard.Ed25519);
        await alice.SendTextAsync(bob.Id, "after", Cancellation);
        Assert.Equal(OnionPaths.Count, network.Paths.Current.Length);
        Assert.All(network.Paths.Current, path => Assert.Equal(3, path.Hops.Distinct().Count()));
        Assert.Contains((await PollAnywayAsync(bob)).OfType<IncomingText>(), text => text.Body == "after");
    }

    [Fact]
    public async Task GroupOfThree_TalksRekeysAndRemoves()
    {
        var (alice, bob, carol) = (Create(), Create(), Create());
        var group = await alice.CreateGroupAsync("Vector Group", [bob.Id, carol.Id], Cancellation);
        var groups = new Dictionary<SessionClient, SessionGroup> { [alice] = group };
        foreach (var member in new[] { bob, carol })
        {
            var invitation = Assert.Single((await member.PollAsync(Cancellation)).OfType<IncomingInvitation>());
            Assert.Equal((alice.Id, "Vector Group", group.Id), (invitation.Sender, invitation.Name, invitation.Group));
            groups[member] = await member.JoinAsync(invitation, Cancellation);
            Assert.Equal("Vector Group", groups[member].Name);
            Assert.Equal(3, groups[member].Members.Count);
        }

        await groups[bob].SendTextAsync("hello group", Cancellation);
        var heard = (await group.PollAsync(Cancellation)).ToArray();
        Assert.Equal((bob.Id, "hello group"), heard.OfType<IncomingText>().Select(text => (text.Sender, text.Body)).Single());
        Assert.Equal(2, heard.OfType<IncomingGroupEvent>().Count(message => message.Event is GroupEvent.Joined));
        Assert.All(group.Members, member => Assert.False(member.IsInvited));
        Assert.Equal("hello group", (await groups[carol].PollAsync(Cancellation)).OfType<IncomingText>().Single().Body);

        await group.RemoveAsync([carol.Id], Cancellation);
        await group.SendTextAsync("without Carol", Cancellation);
        var refused = await Assert.ThrowsAsync<SessionClientException>(() => groups[carol].SendTextAsync("still here?", Cancellation));
        Assert.Equal(401, refused.Status);
        Assert.Equal(GroupEvent.Kicked, (await groups[carol].PollAsync(Cancellation)).OfType<IncomingGroupEvent>().Last().Event);
        Assert.Empty(carol.Groups);
        var last = await groups[bob].PollAsync(Cancellation);
        Assert.Equal("without Carol", last.OfType<IncomingText>().Single().Body);
        Assert.Equal((1, 2), ((int)groups[bob].Generation, groups[bob].Members.Count));

        // Back again: the older notice no longer counts.
        await group.InviteAsync([carol.Id], withHistory: true, Cancellation);
        var again = Assert.Single((await carol.PollAsync(Cancellation)).OfType<IncomingInvitation>());
        var rejoined = await carol.JoinAsync(again, Cancellation);
        await rejoined.SendTextAsync("back", Cancellation);
        Assert.Contains((await groups[bob].PollAsync(Cancellation)).OfType<IncomingText>(), text => text.Body == "back");
        Assert.Single(carol.Groups);
    }

    [Fact]
    public async Task Group_PromotedMember_ChangesIt()
    {
        var (alice, bob) = (Create(), Create());
        var group = await alice.CreateGroupAsync("Ours", [bob.Id], Cancellation);
        var joined = await bob.JoinAsync((await bob.PollAsync(Cancellation)).OfType<IncomingInvitation>().Single(), Cancellation);
        await Assert.ThrowsAsync<InvalidOperationException>(() => joined.RenameAsync("Mine", Cancellation));

        await group.PollAsync(Cancellation);
        await group.PromoteAsync(bob.Id, Cancellation);
        joined = await bob.JoinAsync((await bob.PollAsync(Cancellation)).OfType<IncomingPromotion>().Single(), Cancellation);
        await joined.RenameAsync("Mine", Cancellation);

        var change = (await group.PollAsync(Cancellation)).OfType<IncomingGroupEvent>().Single(message => message.Event is GroupEvent.InfoChanged);
        Assert.Equal((bob.Id, "Mine", "Mine"), (change.Sender, change.Subjects.Single(), group.Name));
        await joined.LeaveAsync(Cancellation);
        Assert.Contains((await group.PollAsync(Cancellation)).OfType<IncomingGroupEvent>(), message => message.Event is GroupEvent.Left && message.Sender == bob.Id);
    }

    [Fact]
    public async Task Seed_IsTrustedAtFirstUse_AndRefusedWithAnotherCertificate()
    {
        var certificates = new SeedCertificates(SeedTrust.FirstUse);
        using (await SessionNetwork.ConnectAsync(new SessionNetworkOptions { Seeds = [_network.Process.Seed], Certificates = certificates }, Cancellation))
            Assert.Equal([_network.Process.Seed.Host], certificates.Known.Keys);
        using (await SessionNetwork.ConnectAsync(new SessionNetworkOptions { Seeds = [_network.Process.Seed], Certificates = new(SeedTrust.Pinned, certificates.Known) }, Cancellation))
            Assert.Single(certificates.Known);

        var wrong = new SeedCertificates(SeedTrust.FirstUse, [new(_network.Process.Seed.Host, new string('0', 64))]);
        await Assert.ThrowsAsync<SessionClientException>(() => SessionNetwork.ConnectAsync(
            new SessionNetworkOptions { Seeds = [_network.Process.Seed], Certificates = wrong }, Cancellation));
    }

    [Fact]
    public async Task SecondDevice_FindsItsGroups()
    {
        var identity = SessionIdentity.Create();
        var (phone, desktop) = (Create(identity), Create(identity));
        var group = await phone.CreateGroupAsync("Ours", [], Cancellation);
        await group.SendTextAsync("to myself", Cancellation);

        await desktop.PollAsync(Cancellation);
        var found = Assert.Single(desktop.Groups);
        Assert.Contains((await found.PollAsync(Cancellation)).OfType<IncomingText>(), text => text.Body == "to myself");
        Assert.Equal(("Ours", true), (found.Name, found.IsAdmin));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Attachment_IsUploadedSentAndRead(bool deterministic)
    {
        var files = new FileServerDouble(fixture.Server);
        var options = new SessionClientOptions { FileServer = files.Address };
        var (alice, bob) = (new SessionClient(_shared, SessionIdentity.Create(), options), new SessionClient(_shared, SessionIdentity.Create(), options));
        var file = new byte[70_000];
        new Random(7).NextBytes(file);

        var attachment = await alice.UploadAsync(file, "noise.bin", "application/x-noise", deterministic, Cancellation);
        await alice.SendAsync(bob.Id, new() { Attachments = [attachment] }, Cancellation);
        var received = Assert.Single((await bob.PollAsync(Cancellation)).OfType<IncomingText>()).Attachments.Single();

        Assert.Equal((attachment.Url.ToString(), attachment.Size, "noise.bin", "application/x-noise"), (received.Url.ToString(), received.Size, received.FileName, received.ContentType));
        Assert.Equal(file, await bob.DownloadAsync(received, Cancellation));

        await alice.SetPictureAsync(file, Cancellation);
        await bob.AcceptRequestAsync(alice.Id, Cancellation);
        await alice.SetDisplayNameAsync("Alice", Cancellation);
        await alice.SendTextAsync(bob.Id, "with my picture", Cancellation);
        await bob.PollAsync(Cancellation);
        Assert.Equal(file, await bob.GetPictureAsync(alice.Id, Cancellation));
        Assert.Null(await bob.GetPictureAsync(bob.Id, Cancellation));

        files.Corrupt();
        await Assert.ThrowsAsync<SessionClientException>(() => bob.DownloadAsync(received, Cancellation));
        files.Clear();
        Assert.Equal(404, (await Assert.ThrowsAsync<SessionClientException>(() => bob.DownloadAsync(received, Cancellation))).Status);
    }

    /// <summary>The double above can be damaged; this is the real one.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Attachment_ThroughTheNetworksOwnFileServer_IsTheSame(bool deterministic)
    {
        var description = _network.Process.Description;
        var server = FileServer.FromEd25519(new(description.GetProperty("fileServerUrl").GetString()!), Ed25519PublicKey.ParseHex(description.GetProperty("fileServerEd25519").GetString()!));
        Assert.Equal(description.GetProperty("fileServerX25519").GetString(), server.Key.ToString());
        var options = new SessionClientOptions { FileServer = server };
        var (alice, bob) = (new SessionClient(_shared, SessionIdentity.Create(), options), new SessionClient(_shared, SessionIdentity.Create(), options));
        foreach (var length in new[] { 1, 300_000 })
        {
            var file = new byte[length];
            new Random(length).NextBytes(file);
            var attachment = await alice.UploadAsync(file, "noise.bin", "application/x-noise", deterministic, Cancellation);
            Assert.Equal(deterministic, attachment.Url.ToString() == (await alice.UploadAsync(file, "noise.bin", "application/x-noise", deterministic, Cancellation)).Url.ToString());
            await alice.SendAsync(bob.Id, new() { Attachments = [attachment] }, Cancellation);
            var received = Assert.Single((await bob.PollAsync(Cancellation)).OfType<IncomingText>()).Attachments.Single();
            Assert.Equal(file, await bob.DownloadAsync(received, Cancellation));
            await new FileServerClient(_shared, server).ExtendAsync(received.Url, Cancellation);
            // A key that fits another file opens nothing.
            var other = received with { Key = new byte[received.Key.Length] };
            await Assert.ThrowsAsync<SessionClientException>(() => bob.DownloadAsync(other, Cancellation));
        }

        var gone = await Assert.ThrowsAsync<SessionClientException>(() => new FileServerClient(_shared, server).DownloadAsync(new(server.Url, new string('A', 44)), Cancellation));
        Assert.Equal(404, gone.Status);
    }

    private SessionClient Create(SessionIdentity? identity = null, SessionNetwork? network = null) =>
        new(network ?? _shared, identity ?? SessionIdentity.Create(), new() { PollInterval = TimeSpan.FromMilliseconds(200) });

    private async Task<SessionClient> CreateOutsideSwarmOfAsync(SessionNetwork network, SnodeAddress node)
    {
        while (true)
        {
            var client = Create(network: network);
            if ((await network.GetSwarmAsync(client.Id, Cancellation)).All(member => member.Ed25519 != node.Ed25519))
                return client;
        }
    }

    private Task<SessionNetwork> ConnectAsync(HttpMessageHandler handler, TimeSpan? timeout = null) => SessionNetwork.ConnectAsync(
        new SessionNetworkOptions { Seeds = [_network.Process.Seed], Handler = handler, RequestTimeout = timeout ?? TimeSpan.FromSeconds(30) }, Cancellation);

    private static async Task<IReadOnlyList<IncomingMessage>> PollAnywayAsync(SessionClient client)
    {
        var end = DateTimeOffset.UtcNow + Limit;
        while (true)
        {
            try
            {
                return await client.PollAsync(Cancellation);
            }
            catch (SessionClientException) when (DateTimeOffset.UtcNow < end)
            {
            }
        }
    }

    private static async Task TryAsync(Func<Task> send)
    {
        try
        {
            await send();
        }
        catch (SessionClientException)
        {
            // Three attempts may all meet the fault.
        }
    }

    private async Task AddFaultAsync(string kind, SnodeAddress node)
    {
        var index = _network.Nodes.Single(known => known.Ed25519 == node.Ed25519).Index;
        using var content = new StringContent($$"""[{"kind":"{{kind}}","nodes":["{{index}}"]}]""", Encoding.UTF8, "application/json");
        (await AskAdminAsync(HttpMethod.Post, "/v1/faults", content)).EnsureSuccessStatusCode();
    }

    private async Task<HttpResponseMessage> AskAdminAsync(HttpMethod method, string path, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, new Uri(_network.Process.Admin, path)) { Content = content };
        var token = await File.ReadAllTextAsync(_network.Process.Description.GetProperty("adminTokenFile").GetString()!);
        request.Headers.Authorization = new("Bearer", token.Trim());
        return await _network.Http.SendAsync(request);
    }

    /// <summary>As much of a file server as an upload and a download need, behind onion v4 requests.</summary>
    private sealed class FileServerDouble
    {
        private static readonly Dictionary<string, string> JsonHeaders = new() { ["content-type"] = "application/json" };
        private static readonly Dictionary<string, string> BinaryHeaders = new() { ["content-type"] = "application/octet-stream" };

        private readonly X25519KeyPair _keys = X25519KeyPair.Generate();
        private readonly ConcurrentDictionary<string, byte[]> _files = new();

        public FileServerDouble(OutsideServer server)
        {
            server.Serve(AnswerAsync, "/oxen/v4/lsrpc");
            Address = new(new Uri($"http://127.0.0.1:{server.Port}"), _keys.PublicKey);
        }

        public FileServer Address { get; }

        public void Clear() => _files.Clear();

        public void Corrupt()
        {
            foreach (var file in _files.Values)
                file[^1] ^= 1;
        }

        private async Task AnswerAsync(HttpContext context, byte[] body)
        {
            Assert.True(OnionEnvelope.TryParse(body, out var envelope, out _));
            Assert.True(OnionLayerKey.TryDeriveForNode(_keys, envelope.EphemeralKey, envelope.Cipher, out var key));
            var plaintext = new byte[key.GetMaxPlaintextLength(envelope.Ciphertext.Length)];
            Assert.True(key.TryDecrypt(envelope.Ciphertext.Span, plaintext, out var length));
            Assert.True(OnionV4Request.TryParse(plaintext.AsMemory(0, length), out var request));
            await context.Response.Body.WriteAsync(OnionReply.SealRaw(key, Answer(request).Encode(), base64: false));
        }

        private OnionV4Response Answer(OnionV4Request request)
        {
            if (request is { Method: "POST", Endpoint: "/file", Body: { } content })
            {
                var id = Guid.NewGuid().ToString("N");
                _files[id] = content.ToArray();
                return new(200, JsonHeaders, Encoding.UTF8.GetBytes($$"""{"id":"{{id}}","expires":1900000000.5}"""));
            }

            return request.Method is "GET" && _files.TryGetValue(request.Endpoint.Split('/')[^1], out var file)
                ? new(200, BinaryHeaders, file) : new(404, JsonHeaders, """{"status_code":404}"""u8.ToArray());
        }
    }
}
