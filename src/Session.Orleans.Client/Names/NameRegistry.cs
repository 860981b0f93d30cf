using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Names;

namespace Session.Orleans.Client.Names;

/// <summary>Buys and changes Session names at the seed node of a network without coins (names.md, 8).</summary>
/// <param name="http">From <see cref="SessionHttp.Create(TimeSpan?)"/>.</param>
/// <param name="seed">The seed's root URL.</param>
public sealed class NameRegistry(HttpClient http, Uri seed)
{
    private static readonly MediaTypeHeaderValue JsonType = new("application/json");

    /// <summary>Buys <paramref name="name"/> for a Session ID.</summary>
    /// <param name="name">The name, in any case.</param>
    /// <param name="account">What it shall stand for.</param>
    /// <param name="owner">Whoever has these keys may change it.</param>
    /// <param name="backupOwner">May change it as well; null for nobody.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">The registry refused or can't be reached; its code is the exception's status.</exception>
    public Task<NameReceiptInfo> BuyAsync(
        string name, AccountId account, Ed25519KeyPair owner, Ed25519PublicKey? backupOwner = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(owner);
        var change = new NameChange
        {
            Operation = NameOperation.Buy,
            Type = (int)NameType.Session,
            Name = Hash(name),
            Value = Encrypt(name, account),
            Owner = new(owner.PublicKey),
            BackupOwner = backupOwner is { } backup ? new(backup) : null,
        }.SignWith(owner);
        return SendAsync("ons_buy_mapping", change, cancellationToken);
    }

    /// <summary>Changes what is given and leaves the rest.</summary>
    /// <param name="name">The name, in any case.</param>
    /// <param name="signer">Its owner or backup owner.</param>
    /// <param name="account">What it shall stand for from now on.</param>
    /// <param name="owner">Its new owner.</param>
    /// <param name="backupOwner">Its new backup owner.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">The registry refused or can't be reached; its code is the exception's status.</exception>
    public async Task<NameReceiptInfo> UpdateAsync(
        string name, Ed25519KeyPair signer, AccountId? account = null, Ed25519PublicKey? owner = null, Ed25519PublicKey? backupOwner = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(signer);
        var current = await FindAsync(name, cancellationToken).ConfigureAwait(false)
            ?? throw new SessionClientException($"Nobody has the name '{name}'.", (int)NotRegistered);
        var change = new NameChange
        {
            Operation = NameOperation.Update,
            Type = (int)NameType.Session,
            Name = Hash(name),
            Previous = Bytes32.TryParseHex(current.TransactionId, out var previous) ? previous : throw new SessionClientException("The registry gave no transaction id."),
            Value = account is { } id ? Encrypt(name, id) : default,
            Owner = owner is { } next ? new(next) : null,
            BackupOwner = backupOwner is { } backup ? new(backup) : null,
        }.SignWith(signer);
        return await SendAsync("ons_update_mapping", change, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The record of a name; null if nobody has it.</summary>
    /// <exception cref="SessionClientException">The registry can't be reached.</exception>
    public async Task<NameInfo?> FindAsync(string name, CancellationToken cancellationToken = default)
    {
        var result = await CallAsync("ons_names_to_owners", new() { ["name_hash"] = new JsonArray(Hash(name).ToString()), ["type"] = new JsonArray((int)NameType.Session) }, cancellationToken)
            .ConfigureAwait(false);
        return Read(result, "result").FirstOrDefault();
    }

    /// <summary>All names of an owner or backup owner, by hash: nobody but who knows it can tell the name.</summary>
    /// <exception cref="SessionClientException">The registry can't be reached.</exception>
    public async Task<IReadOnlyList<NameInfo>> ListAsync(Ed25519PublicKey owner, CancellationToken cancellationToken = default) =>
        Read(await CallAsync("ons_owners_to_names", new() { ["entries"] = new JsonArray(owner.ToString()) }, cancellationToken).ConfigureAwait(false), "entries");

    private const int NotRegistered = -3;

    private static NameHash Hash(string name) => NameRules.IsValid(NameType.Session, name) ? NameHash.Of(name)
        : throw new SessionClientException($"'{name}' is no name: 1 to {NameRules.MaxLength} of a-z, 0-9, '_' and, inside, '-'.");

    private static byte[] Encrypt(string name, AccountId account)
    {
        Span<byte> value = stackalloc byte[AccountId.Length];
        account.CopyTo(value);
        return NameCipher.Encrypt(name, value);
    }

    private static NameInfo[] Read(JsonElement result, string list) => [.. result.GetProperty(list).EnumerateArray().Select(entry => new NameInfo(
        entry.GetProperty("name_hash").GetString()!,
        entry.GetProperty("owner").GetString()!,
        entry.TryGetProperty("backup_owner", out var backup) ? backup.GetString() : null,
        Convert.FromHexString(entry.GetProperty("encrypted_value").GetString()!),
        entry.GetProperty("update_height").GetInt64(),
        entry.GetProperty("txid").GetString()!))];

    private async Task<NameReceiptInfo> SendAsync(string method, NameChange change, CancellationToken cancellationToken)
    {
        var parameters = new JsonObject
        {
            ["type"] = change.Type,
            ["name_hash"] = change.Name.ToString(),
            ["signature"] = Convert.ToHexStringLower(change.Signature.Span),
        };
        if (!change.Value.IsEmpty)
            parameters["encrypted_value"] = Convert.ToHexStringLower(change.Value.Span);
        if (change.Owner is { } owner)
            parameters["owner"] = owner.ToString();
        if (change.BackupOwner is { } backup)
            parameters["backup_owner"] = backup.ToString();
        if (change.Operation is NameOperation.Update)
            parameters["prev_txid"] = change.Previous.ToString();
        var result = await CallAsync(method, parameters, cancellationToken).ConfigureAwait(false);
        return new(result.GetProperty("txid").GetString()!, result.GetProperty("height").GetInt64());
    }

    private async Task<JsonElement> CallAsync(string method, JsonObject parameters, CancellationToken cancellationToken)
    {
        try
        {
            var call = new JsonObject { ["jsonrpc"] = "2.0", ["id"] = 0, ["method"] = method, ["params"] = parameters };
            using var content = new StringContent(call.ToJsonString(), JsonType);
            using var response = await http.PostAsync(new Uri(seed, "/json_rpc"), content, cancellationToken).ConfigureAwait(false);
            var reply = JsonElement.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false));
            if (reply.TryGetProperty("error", out var error))
                throw new SessionClientException($"The registry refused: {error.GetProperty("message").GetString()}.", error.GetProperty("code").GetInt32());
            return reply.GetProperty("result");
        }
        catch (Exception exception) when (exception is HttpRequestException or JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new SessionClientException($"The seed {seed} gave no answer about names: {exception.Message}", exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SessionClientException($"The seed {seed} did not answer in time.", exception);
        }
    }
}

/// <summary>What the registry says of a change.</summary>
/// <param name="TransactionId">Id of the change, 64 hex digits.</param>
/// <param name="Height">Height at which it was accepted.</param>
public sealed record NameReceiptInfo(string TransactionId, long Height);

/// <summary>A name's record.</summary>
/// <param name="NameHash">The name hash, 44 characters of base64.</param>
/// <param name="Owner">The owner's Ed25519 key in hex.</param>
/// <param name="BackupOwner">The backup owner's; null if there is none.</param>
/// <param name="EncryptedValue">The stored value, ciphertext and nonce.</param>
/// <param name="UpdateHeight">Height of the latest change.</param>
/// <param name="TransactionId">Id of the latest change, 64 hex digits.</param>
public sealed record NameInfo(string NameHash, string Owner, string? BackupOwner, ReadOnlyMemory<byte> EncryptedValue, long UpdateHeight, string TransactionId);
