using System.CommandLine;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Session.Orleans.Client;
using Session.Orleans.Client.Names;
using Session.Orleans.Gateway.Hosting;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Names;

namespace Session.Orleans.Testnet.Commands;

/// <summary><c>session-testnet names</c>: names for Session IDs, as clients resolve them.</summary>
internal static class NamesCommand
{
    private const string OwnerFileName = "name-owner.key";

    private static readonly Option<string> Data = CommonOptions.Data();
    private static readonly Option<OutputFormat> Output = CommonOptions.Output();
    private static readonly Argument<string> Name = new("NAME") { Description = "1 to 64 of a-z, 0-9, '_' and, inside, '-'" };
    private static readonly Argument<string> Account = new("SESSION_ID") { Description = "What it stands for: 66 hex digits, the first two 05" };
    private static readonly Option<string?> To = new("--to") { Description = "The Session ID it shall stand for", HelpName = "SESSION_ID" };
    private static readonly Option<string?> Owner = new("--owner") { Description = "The new owner's Ed25519 key: a transfer", HelpName = "KEY" };
    private static readonly Option<string?> Backup = new("--backup-owner") { Description = "An Ed25519 key whose owner may change the name as well", HelpName = "KEY" };
    private static readonly Option<string?> KeyFile = new("--owner-key") { Description = $"File with the owner's Ed25519 seed, 64 hex digits; by default DIR/{OwnerFileName}, made when it is first needed", HelpName = "FILE" };

    public static Command Create()
    {
        var buy = new Command("buy", "Registers a name that nobody has") { Name, Account, Backup, KeyFile, Data, Output };
        buy.SetAction((options, cancellationToken) => ChangeAsync(options, (registry, keys, name) =>
            registry.BuyAsync(name, ParseAccount(options.GetValue(Account)!), keys, ParseKey(options, Backup), cancellationToken)));
        var update = new Command("update", "Changes what a name stands for, or whose it is") { Name, To, Owner, Backup, KeyFile, Data, Output };
        update.SetAction((options, cancellationToken) => ChangeAsync(options, (registry, keys, name) =>
            options.GetValue(To) is null && options.GetValue(Owner) is null && options.GetValue(Backup) is null
                ? throw new CommandException(ExitCodes.Usage, "Say what to change with --to, --owner or --backup-owner.")
                : registry.UpdateAsync(name, keys, options.GetValue(To) is { } to ? ParseAccount(to) : null, ParseKey(options, Owner), ParseKey(options, Backup), cancellationToken)));
        var resolve = new Command("resolve", "Finds the Session ID behind a name, at three nodes through onion paths, as clients do") { Name, Data, Output };
        resolve.SetAction(ResolveAsync);
        var show = new Command("show", "Shows whose a name is") { Name, Data, Output };
        show.SetAction(ShowAsync);
        return new Command("names", "Names for Session IDs (ONS): buys, changes and resolves them") { buy, update, resolve, show };
    }

    private static async Task<int> ChangeAsync(ParseResult options, Func<NameRegistry, Ed25519KeyPair, string, Task<NameReceiptInfo>> change)
    {
        var network = TestnetDescription.Load(options.GetValue(Data)!);
        var keys = ReadKeys(options);
        using var http = SessionHttp.Create();
        var name = options.GetValue(Name)!;
        var receipt = await change(new NameRegistry(http, new(network.SeedUrl)), keys, name);
        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json
            ? new JsonObject { ["name"] = NameRules.Normalize(name), ["txid"] = receipt.TransactionId, ["height"] = receipt.Height, ["owner"] = keys.PublicKey.ToString() }.ToJsonString()
            : $"{NameRules.Normalize(name)}: transaction {receipt.TransactionId} at height {receipt.Height}, signed by {keys.PublicKey}");
        return ExitCodes.Ok;
    }

    private static async Task<int> ResolveAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var network = TestnetDescription.Load(options.GetValue(Data)!);
        using var http = SessionHttp.Create();
        var pool = await SeedClient.GetServiceNodesAsync(http, new(network.SeedUrl), cancellationToken);
        var name = options.GetValue(Name)!;
        var account = await new NameResolver(new OnionClient(http), pool).ResolveAsync(name, cancellationToken)
            ?? throw new CommandException(ExitCodes.Failed, $"Nobody has the name '{name}'.");
        Console.WriteLine(options.GetValue(Output) is OutputFormat.Json
            ? new JsonObject { ["name"] = NameRules.Normalize(name), ["sessionId"] = account.ToString() }.ToJsonString() : account.ToString());
        return ExitCodes.Ok;
    }

    private static async Task<int> ShowAsync(ParseResult options, CancellationToken cancellationToken)
    {
        var network = TestnetDescription.Load(options.GetValue(Data)!);
        using var http = SessionHttp.Create();
        var name = options.GetValue(Name)!;
        var record = await new NameRegistry(http, new(network.SeedUrl)).FindAsync(name, cancellationToken)
            ?? throw new CommandException(ExitCodes.Failed, $"Nobody has the name '{name}'.");
        if (options.GetValue(Output) is OutputFormat.Json)
        {
            Console.WriteLine(new JsonObject
            {
                ["name"] = NameRules.Normalize(name),
                ["nameHash"] = record.NameHash,
                ["owner"] = record.Owner,
                ["backupOwner"] = record.BackupOwner,
                ["updateHeight"] = record.UpdateHeight,
                ["txid"] = record.TransactionId,
            }.ToJsonString());
            return ExitCodes.Ok;
        }

        Console.WriteLine($"name      {NameRules.Normalize(name)}");
        Console.WriteLine($"hash      {record.NameHash}");
        Console.WriteLine($"owner     {record.Owner}");
        if (record.BackupOwner is { } backup)
            Console.WriteLine($"backup    {backup}");
        Console.WriteLine($"changed   at height {record.UpdateHeight}, transaction {record.TransactionId}");
        return ExitCodes.Ok;
    }

    private static Ed25519KeyPair ReadKeys(ParseResult options)
    {
        string text;
        var file = options.GetValue(KeyFile);
        try
        {
            text = file is not null ? File.ReadAllText(file).Trim()
                : SecretFile.ReadOrCreate(
                    file = Path.Combine(options.GetValue(Data)!, OwnerFileName), static () => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(Bytes32.Length)));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Failed, $"The owner's key can't be read: {exception.Message}");
        }

        return Bytes32.TryParseHex(text, out var seed) ? new(seed.AsSpan())
            : throw new CommandException(ExitCodes.Failed, $"{file} does not hold an Ed25519 seed of 64 hex digits.");
    }

    private static AccountId ParseAccount(string text) => AccountId.TryParse(text, out var account) && account.Prefix == AccountId.SessionPrefix ? account
        : throw new CommandException(ExitCodes.Usage, $"A Session ID is 66 hex digits, the first two 05; not '{text}'.");

    private static Ed25519PublicKey? ParseKey(ParseResult options, Option<string?> option) => options.GetValue(option) is not { } text ? null
        : Ed25519PublicKey.TryParseHex(text, out var key) ? key
        : throw new CommandException(ExitCodes.Usage, $"{option.Name} must be an Ed25519 key of 64 hex digits, not '{text}'.");
}
