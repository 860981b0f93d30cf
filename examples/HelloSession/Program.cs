using Session.Orleans.Client;

// A network to try it on: dotnet run -c Release --project src/Session.Orleans.Testnet -- up
using var network = await SessionNetwork.ConnectAsync(new Uri(args is [var seed] ? seed : "https://127.0.0.1:22000"));
var alice = new SessionClient(network, SessionIdentity.Create());
var bob = new SessionClient(network, SessionIdentity.Create());
Console.WriteLine($"Alice {alice.Id}, recovery phrase: {alice.Identity.RecoveryPhrase}");

await alice.SetDisplayNameAsync("Alice");
var sent = await alice.SendTextAsync(bob.Id, "Hello through three hops!");
Console.WriteLine($"stored as {sent.Hash}");

await foreach (var message in bob.IncomingAsync())
{
    if (message is not IncomingText text)
        continue;
    Console.WriteLine($"{text.SenderName}: {text.Body}");
    await bob.AcceptRequestAsync(text.Sender);
    break;
}
