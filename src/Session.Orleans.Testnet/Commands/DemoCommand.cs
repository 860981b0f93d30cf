using System.CommandLine;
using System.Text;
using Session.Orleans.Client;
using Session.Orleans.Client.Names;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Testnet.Commands;

/// <summary>
/// <c>session-testnet demo</c>: what two people do in a network. A message with everything it passes on its way, then a picture, a community and
/// a name. The accounts and the name are new each time, so it can be run again and again.
/// </summary>
internal static class DemoCommand
{
    private const string RoomToken = "demo";
    private const string PictureName = "three-hops.png";

    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<string?> Seed = new("--seed") { Description = "Seed URL of the network; by default the one that runs on --data", HelpName = "URL" };
    private static readonly Option<string> Text = new("--text") { Description = "The message", DefaultValueFactory = _ => "Hello through three hops!" };

    public static Command Create()
    {
        var command = new Command("demo", "Sends a message through three hops and checks every signature; sends a picture, talks in a community, buys a name") { Data, Seed, Text };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        // A seed alone tells of nodes, not of the servers beside them.
        var description = options.GetValue(Seed) is null ? TestnetDescription.Load(options.GetValue(Data)!) : null;
        var seed = description is not null ? new(description.SeedUrl)
            : Uri.TryCreate(options.GetValue(Seed), UriKind.Absolute, out var url) ? url
            : throw new CommandException(ExitCodes.Usage, $"--seed must be a URL, not '{options.GetValue(Seed)}'.");
        using var http = SessionHttp.Create();
        var pool = await SeedClient.GetServiceNodesAsync(http, seed, cancellationToken);
        Say("seed", $"{seed} knows {pool.Count} service nodes");

        var (alice, bob) = (SessionIdentity.Create(), SessionIdentity.Create());
        Say("accounts", $"Alice {alice.Id}");
        Say("", $"Bob   {bob.Id}");
        await SendMessageAsync(http, pool, bob.Keys, options.GetValue(Text)!, cancellationToken);

        using var network = await SessionNetwork.ConnectAsync(seed, cancellationToken);
        await SendPictureAsync(network, alice, bob, description, cancellationToken);
        await TalkInCommunityAsync(network, alice, bob, description, cancellationToken);
        await SendToNameAsync(network, http, seed, alice, bob, cancellationToken);
        return ExitCodes.Ok;
    }

    private static async Task SendMessageAsync(
        HttpClient http, IReadOnlyList<SnodeAddress> pool, Ed25519KeyPair bob, string text, CancellationToken cancellationToken)
    {
        var storage = new StorageClient(new OnionClient(http), pool, TimeProvider.System);
        var swarm = await storage.GetSwarmAsync(bob.SessionId, cancellationToken);
        Say("swarm", $"Bob's messages wait in swarm {swarm.Id}: {string.Join(" ", swarm.Members.Select(member => member.ShortId))}");

        // The network sees the recipient, the size and the time; only Bob's key opens the box.
        var box = SealedBox.Seal(Encoding.UTF8.GetBytes(text), bob.X25519.PublicKey.AsSpan());
        var destination = swarm.Members[Random.Shared.Next(swarm.Members.Count)];
        var path = OnionPath.Choose(pool, destination);
        Say("send", Describe("Alice", path, destination));
        var stored = await storage.StoreAsync(path, destination, bob.SessionId, box, TimeSpan.FromDays(1), cancellationToken);
        var valid = stored.Members.Count(member => member.IsValid);
        Say("stored", $"as {stored.Hash}");
        Say("signatures", $"{valid} of {swarm.Members.Count} swarm members signed for it, checked with their Ed25519 keys");

        var other = swarm.Members.First(member => member.Ed25519 != destination.Ed25519 || swarm.Members.Count == 1);
        var way = OnionPath.Choose(pool, other);
        Say("poll", Describe("Bob", way, other));
        var page = await storage.RetrieveAsync(way, other, bob, cancellationToken: cancellationToken);
        var message = page.Messages.FirstOrDefault(candidate => candidate.Hash == stored.Hash);
        if (message is null || valid != swarm.Members.Count
            || !SealedBox.TryOpen(message.Data.Span, bob.X25519.PublicKey.AsSpan(), bob.X25519.SecretKey, out var opened))
            throw new CommandException(ExitCodes.CheckFailed, "The message did not arrive as it was sent, or a signature is wrong.");
        Say("received", Encoding.UTF8.GetString(opened));
    }

    private static async Task SendPictureAsync(
        SessionNetwork network, SessionIdentity alice, SessionIdentity bob, TestnetDescription? description, CancellationToken cancellationToken)
    {
        if (description is not { FileServerUrl: { } url, FileServerEd25519: { } key })
        {
            Say("picture", description is null ? "skipped: a seed does not tell of file servers" : "skipped: the network runs without a file server");
            return;
        }

        var options = new SessionClientOptions { FileServer = FileServer.FromEd25519(new(url), Ed25519PublicKey.ParseHex(key)) };
        var (sender, reader) = (new SessionClient(network, alice, options), new SessionClient(network, bob, options));
        var picture = await ReadPictureAsync(cancellationToken);
        var attachment = await sender.UploadAsync(picture, PictureName, "image/png", cancellationToken: cancellationToken);
        var sent = await sender.SendAsync(bob.Id, new() { Body = "Look!", Attachments = [attachment] }, cancellationToken);
        Say("picture", $"Alice encrypted {PictureName}, {picture.Length} bytes, and sent Bob its key and {attachment.Url}");
        var received = await FindAsync(reader, sent, cancellationToken);
        var arrived = received.Attachments is [var file] ? await reader.DownloadAsync(file, cancellationToken) : [];
        if (!picture.AsSpan().SequenceEqual(arrived))
            throw new CommandException(ExitCodes.CheckFailed, "The picture did not arrive as it was sent.");
        Say("", "Bob downloaded it through three hops, verified and decrypted it: the same bytes");
    }

    private static async Task TalkInCommunityAsync(
        SessionNetwork network, SessionIdentity alice, SessionIdentity bob, TestnetDescription? description, CancellationToken cancellationToken)
    {
        if (description is not { CommunityUrl: not null })
        {
            Say("community", description is null ? "skipped: a seed does not tell of communities" : "skipped: the network runs without a community server");
            return;
        }

        using var admin = AdminClient.Open(description);
        var join = await GetRoomAsync(admin, cancellationToken);
        var (hers, his) = (
            await new SessionClient(network, alice).JoinCommunityAsync(join, cancellationToken: cancellationToken),
            await new SessionClient(network, bob).JoinCommunityAsync(join, cancellationToken: cancellationToken));
        Say("community", $"{join}");
        Say("", $"there Alice is {hers.Server.Id}");
        const string Words = "Hello, everybody!";
        var post = await hers.PostAsync(Words, cancellationToken);
        if (await his.FindAsync(post.Id, cancellationToken) is not { Body: Words } read || read.Author != hers.Server.Id
            || !await his.ReactAsync(post.Id, "👋", cancellationToken: cancellationToken))
            throw new CommandException(ExitCodes.CheckFailed, "The post did not arrive as it was posted.");
        Say("", $"Alice posted \"{Words}\" as message {post.Id}; Bob read it, verified her signature and waved");
    }

    private static async Task SendToNameAsync(
        SessionNetwork network, HttpClient http, Uri seed, SessionIdentity alice, SessionIdentity bob, CancellationToken cancellationToken)
    {
        var name = $"bob-{bob.Id.ToString()[2..10]}";
        var receipt = await new NameRegistry(http, seed).BuyAsync(name, bob.Id, bob.Keys, cancellationToken: cancellationToken);
        Say("name", $"Bob bought {name} at height {receipt.Height}");
        const string Words = "Found you by name!";
        var sent = await new SessionClient(network, alice).SendTextAsync(name, Words, cancellationToken);
        if (sent.Conversation != bob.Id || await FindAsync(new(network, bob), sent, cancellationToken) is not { Body: Words })
            throw new CommandException(ExitCodes.CheckFailed, "The message to the name did not arrive as it was sent.");
        Say("", $"three nodes told Alice whose it is; Bob received \"{Words}\"");
    }

    private static async Task<string> GetRoomAsync(AdminClient admin, CancellationToken cancellationToken)
    {
        var rooms = await admin.GetCommunitiesAsync(cancellationToken);
        var room = rooms.Value.Rooms.FirstOrDefault(room => room.Token == RoomToken)
            ?? (await admin.CreateCommunityAsync(new(RoomToken, "Demo", "Where session-testnet demo says hello", null), cancellationToken)).Value;
        return room.JoinUrl ?? throw new CommandException(ExitCodes.Failed, $"The room '{RoomToken}' has no join URL.");
    }

    private static async Task<IncomingText> FindAsync(SessionClient client, SentMessage sent, CancellationToken cancellationToken) =>
        (await client.PollAsync(cancellationToken)).OfType<IncomingText>().FirstOrDefault(text => text.Id == sent.Id)
            ?? throw new CommandException(ExitCodes.CheckFailed, "A message did not arrive.");

    private static async Task<byte[]> ReadPictureAsync(CancellationToken cancellationToken)
    {
        await using var resource = typeof(DemoCommand).Assembly.GetManifestResourceStream(PictureName)!;
        var picture = new byte[resource.Length];
        await resource.ReadExactlyAsync(picture, cancellationToken);
        return picture;
    }

    private static string Describe(string sender, OnionPath path, SnodeAddress destination) =>
        $"{sender} -> {string.Join(" -> ", path.Hops.Select(hop => hop.ShortId))} -> {destination.ShortId} (destination)";

    private static void Say(string what, string text) => Console.WriteLine($"{what,-11}{text}");
}
