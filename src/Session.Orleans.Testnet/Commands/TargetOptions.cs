using System.CommandLine;
using Session.Orleans.Client;
using Session.Orleans.Load.Network;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Testnet.Commands;

/// <summary>Options that name a network for commands that work from another machine as well: by its seed, or by its data folder.</summary>
internal sealed class TargetOptions
{
    private readonly Option<string> _data = CommonOptions.Data();

    private readonly Option<string?> _seed = new("--seed")
    {
        Description = "Seed URL of the network, from anywhere; by default the network that runs on --data",
        HelpName = "URL",
    };

    private readonly Option<string?> _pin = new("--pin")
    {
        Description = "With --seed: SHA-256 of the public key that the seed's certificate must have (testnet.json has it as seedPin)",
        HelpName = "HEX",
    };

    private readonly Option<bool> _trust = new("--trust-on-first-use") { Description = "With --seed: take whatever certificate the seed shows first" };

    private readonly Option<bool> _byPath = new("--path-addressing")
    {
        Description = "Ask nodes at SEED/snodes/KEY instead of their own ports, which a cluster may not let out",
    };

    private readonly Option<string?> _files = new("--file-server") { Description = "With --seed: URL of the file server, as nodes reach it", HelpName = "URL" };
    private readonly Option<string?> _fileKey = new("--file-server-key") { Description = "X25519 key of --file-server", HelpName = "HEX" };
    private readonly bool _withFiles;

    /// <summary>Options for commands that use the file server, or not.</summary>
    public TargetOptions(bool withFiles = false) => _withFiles = withFiles;

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_seed, _data, _pin, _trust, _byPath])
            command.Add(option);
        if (!_withFiles)
            return;
        command.Add(_files);
        command.Add(_fileKey);
    }

    /// <summary>The network on <c>--data</c>; null if it was named by <c>--seed</c>.</summary>
    /// <exception cref="CommandException">None runs there.</exception>
    public TestnetDescription? Describe(ParseResult options) => options.GetValue(_seed) is null ? TestnetDescription.Load(options.GetValue(_data)!) : null;

    /// <summary>The network that they name.</summary>
    /// <exception cref="CommandException">They don't.</exception>
    public LoadTarget Read(ParseResult options)
    {
        var (pin, trust, byPath) = (options.GetValue(_pin), options.GetValue(_trust), options.GetValue(_byPath));
        if (pin is not null && (trust || !SeedCheck.IsPin(pin)))
            throw new CommandException(ExitCodes.Usage, trust ? "--pin and --trust-on-first-use exclude each other." : $"--pin takes 64 hex digits, not '{pin}'.");
        if (options.GetValue(_seed) is { } given)
        {
            if (!Uri.TryCreate(given, UriKind.Absolute, out var seed) || seed.Scheme is not ("https" or "http"))
                throw new CommandException(ExitCodes.Usage, $"--seed takes a URL such as https://host:22000, not '{given}'.");
            return new(seed, new(pin, trust, TimeProvider.System)) { PathAddressing = byPath, Files = ReadFiles(options) };
        }

        var network = TestnetDescription.Load(options.GetValue(_data)!);
        return new(new(network.SeedUrl), new(pin ?? network.SeedPin, trust, TimeProvider.System))
        {
            PathAddressing = byPath,
            Files = network is { FileServerUrl: { } url, FileServerX25519: { } key } ? new(new(url), X25519PublicKey.ParseHex(key)) : null,
        };
    }

    private FileServer? ReadFiles(ParseResult options)
    {
        if (!_withFiles || options.GetValue(_files) is not { } text)
            return null;
        return !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("https" or "http")
            ? throw new CommandException(ExitCodes.Usage, $"--file-server takes a URL, not '{text}'.")
            : X25519PublicKey.TryParseHex(options.GetValue(_fileKey), out var key) ? new(url, key)
            : throw new CommandException(ExitCodes.Usage, "--file-server needs --file-server-key with 64 hex digits.");
    }
}
