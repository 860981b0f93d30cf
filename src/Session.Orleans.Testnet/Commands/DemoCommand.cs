using System.CommandLine;
using System.Text;
using Session.Orleans.Client;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet demo</c>: one message from one new account to another, with everything it passes on its way.</summary>
internal static class DemoCommand
{
    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<string?> Seed = new("--seed") { Description = "Seed URL of the network; by default the one that runs on --data", HelpName = "URL" };
    private static readonly Option<string> Text = new("--text") { Description = "The message", DefaultValueFactory = _ => "Hello through three hops!" };

    public static Command Create()
    {
        var command = new Command("demo", "Sends a message through three hops, reads it at the other end and checks every signature") { Data, Seed, Text };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var seed = options.GetValue(Seed) is { } given
            ? Uri.TryCreate(given, UriKind.Absolute, out var url) ? url : throw new CommandException(ExitCodes.Usage, $"--seed must be a URL, not '{given}'.")
            : new(TestnetDescription.Load(options.GetValue(Data)!).SeedUrl);
        using var http = SessionHttp.Create();
        var pool = await SeedClient.GetServiceNodesAsync(http, seed, cancellationToken);
        Say("seed", $"{seed} knows {pool.Count} service nodes");

        var (alice, bob) = (Ed25519KeyPair.Generate(), Ed25519KeyPair.Generate());
        Say("accounts", $"Alice {alice.SessionId}");
        Say("", $"Bob   {bob.SessionId}");

        var storage = new StorageClient(new OnionClient(http), pool, TimeProvider.System);
        var swarm = await storage.GetSwarmAsync(bob.SessionId, cancellationToken);
        Say("swarm", $"Bob's messages wait in swarm {swarm.Id}: {string.Join(" ", swarm.Members.Select(member => member.ShortId))}");

        // The network sees the recipient, the size and the time; only Bob's key opens the box.
        var text = options.GetValue(Text)!;
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
        return ExitCodes.Ok;
    }

    private static string Describe(string sender, OnionPath path, SnodeAddress destination) =>
        $"{sender} -> {string.Join(" -> ", path.Hops.Select(hop => hop.ShortId))} -> {destination.ShortId} (destination)";

    private static void Say(string what, string text) => Console.WriteLine($"{what,-11}{text}");
}
