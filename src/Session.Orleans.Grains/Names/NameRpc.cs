using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Session.Orleans.Grains.Network;
using Session.Orleans.Protocol.Names;

namespace Session.Orleans.Grains.Names;

/// <summary>The name methods of the chain's JSON-RPC (names.md, 7 and 8), for the seed node and, of <c>ons_resolve</c>, for every service node.</summary>
public sealed class NameRpc(IGrainFactory grains, NetworkViewSource views, GrainsMetrics metrics)
{
    private const int MostHashes = 256;
    private const int MostTypes = 8;
    private const int BadParameter = (int)NameOutcome.BadParameter;
    private const int NonceLength = NameCipher.NonceLength;
    private const string CantResolve = "Unable to resolve ONS address: ";

    /// <summary>True if <paramref name="method"/> is one of these, by the name <c>ons_…</c> or <c>lns_…</c>.</summary>
    public static bool Knows(string method) => Canonical(method) is
        "ons_resolve" or "ons_names_to_owners" or "ons_owners_to_names" or "ons_buy_mapping" or "ons_update_mapping" or "ons_renew_mapping" or "ons_hash_name";

    /// <summary>Answers a method that <see cref="Knows"/> knows.</summary>
    /// <param name="method">Its name.</param>
    /// <param name="parameters">Its parameters; undefined if there are none.</param>
    public async Task<NameAnswer> AnswerAsync(string method, JsonElement parameters)
    {
        var answer = await ExecuteAsync(method, parameters);
        if (Canonical(method) is not "ons_resolve") // which tells for itself
            metrics.Name(Canonical(method)["ons_".Length..], answer.Code == 0);
        return answer;
    }

    private async Task<NameAnswer> ExecuteAsync(string method, JsonElement parameters)
    {
        try
        {
            var fields = new Fields(parameters);
            return Canonical(method) switch
            {
                "ons_resolve" => await ResolveAsync(parameters),
                "ons_names_to_owners" => await NamesToOwnersAsync(fields),
                "ons_owners_to_names" => await OwnersToNamesAsync(fields),
                "ons_buy_mapping" => await ChangeAsync(NameOperation.Buy, fields),
                "ons_update_mapping" => await ChangeAsync(NameOperation.Update, fields),
                "ons_renew_mapping" => await ChangeAsync(NameOperation.Renew, fields),
                _ => HashName(fields),
            };
        }
        catch (ParameterException exception)
        {
            return NameAnswer.Error(BadParameter, exception.Message);
        }
    }

    /// <summary>The current value of a name, in two members, or an empty object if there is none (names.md, 7).</summary>
    /// <param name="parameters">An object with <c>type</c> and <c>name_hash</c>.</param>
    public async ValueTask<NameAnswer> ResolveAsync(JsonElement parameters)
    {
        var answer = await FindAsync(parameters);
        metrics.Name("resolve", answer.Code == 0);
        return answer;
    }

    private async ValueTask<NameAnswer> FindAsync(JsonElement parameters)
    {
        if (parameters.ValueKind is not JsonValueKind.Object || !parameters.TryGetProperty("type", out var given) || given.ValueKind is not JsonValueKind.Number
            || !given.TryGetInt32(out var number) || !NameTypes.TryParse(number, out var type))
            return NameAnswer.Error(BadParameter, CantResolve + "'type' parameter not specified");
        var text = parameters.TryGetProperty("name_hash", out var hashed) && hashed.ValueKind is JsonValueKind.String ? hashed.GetString()! : "";
        if (!NameHash.TryParse(text, out var hash) || !hash.IsUsable)
            return NameAnswer.Error(BadParameter, $"{CantResolve}invalid 'name_hash' value '{text}'");
        var record = await Name(hash).FindAsync(type);
        return NameAnswer.Of(json =>
        {
            json.WriteStartObject();
            if (record is not null && record.IsActiveAt(Height))
            {
                // What the first generation stored has no nonce.
                var value = record.EncryptedValue.AsSpan();
                var hasNonce = value.Length != NameCipher.LegacyLength;
                json.WriteString("encrypted_value", Convert.ToHexStringLower(hasNonce ? value[..^NonceLength] : value));
                if (hasNonce)
                    json.WriteString("nonce", Convert.ToHexStringLower(value[^NonceLength..]));
            }

            json.WriteEndObject();
        });
    }

    private long Height => views.Current?.Height ?? 0;

    private static string Canonical(string method) => method.StartsWith("lns_", StringComparison.Ordinal) ? "ons_" + method[4..] : method;

    private INameGrain Name(NameHash hash) => grains.GetGrain<INameGrain>(hash.ToString());

    private async Task<NameAnswer> NamesToOwnersAsync(Fields fields)
    {
        var hashes = fields.Texts("name_hash", MostHashes).Select(text => Hash(text)).ToArray();
        var numbers = fields.Numbers("type", MostTypes);
        var types = numbers.Select(number => NameTypes.TryParse(number, out var type) ? type : throw Bad("type")).Distinct().ToArray();
        var found = await Task.WhenAll(hashes.SelectMany(hash => types.Select(async type => (Type: type, Hash: hash, Record: await Name(hash).FindAsync(type)))));
        return NameAnswer.Of(json =>
        {
            json.WriteStartObject();
            json.WriteString("status", "OK");
            json.WriteStartArray("type");
            foreach (var number in numbers)
                json.WriteNumberValue(number);
            json.WriteEndArray();
            json.WriteStartArray("result");
            foreach (var (type, hash, record) in found)
            {
                if (record is not null && record.IsActiveAt(Height))
                    Write(json, type, hash, record, requestIndex: null);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private async Task<NameAnswer> OwnersToNamesAsync(Fields fields)
    {
        var includeExpired = fields.Flag("include_expired");
        var owners = fields.Texts("entries", MostHashes).Select(text => NameOwner.TryParse(text, out var owner) ? owner.ToString() : throw Bad("entries")).ToArray();
        var found = await Task.WhenAll(owners.Select(async owner =>
        {
            var noted = await grains.GetGrain<INameOwnerGrain>(owner).ListAsync();
            var records = await Task.WhenAll(noted.Select(async name => (name.Type, Hash: Hash(name.NameHash), Record: await Name(Hash(name.NameHash)).FindAsync(name.Type))));
            return records.Where(each => each.Record is { } record && (record.Owner == owner || record.BackupOwner == owner)
                && (includeExpired || record.IsActiveAt(Height))).ToArray();
        }));
        return NameAnswer.Of(json =>
        {
            json.WriteStartObject();
            json.WriteString("status", "OK");
            json.WriteStartArray("entries");
            for (var i = 0; i < found.Length; i++)
            {
                foreach (var (type, hash, record) in found[i])
                    Write(json, type, hash, record!, i);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private async Task<NameAnswer> ChangeAsync(NameOperation operation, Fields fields)
    {
        var hash = Hash(fields.Text("name_hash") ?? throw Bad("name_hash"));
        var order = new NameOrder(
            operation, fields.Type(), fields.Hex("encrypted_value"), fields.Text("owner"), fields.Text("backup_owner"), fields.Text("prev_txid")?.ToLowerInvariant(),
            fields.Signature());
        var (outcome, record) = await Name(hash).ChangeAsync(order);
        if (outcome is not NameOutcome.Done)
            return NameAnswer.Error((int)outcome, Explain(outcome));
        return NameAnswer.Of(json =>
        {
            json.WriteStartObject();
            json.WriteString("status", "OK");
            json.WriteString("txid", record!.TransactionId);
            json.WriteNumber("height", record.UpdateHeight);
            if (record.ExpirationHeight is { } last)
                json.WriteNumber("expiration_height", last);
            json.WriteEndObject();
        });
    }

    private static NameAnswer HashName(Fields fields)
    {
        var number = fields.Type();
        _ = NameTypes.TryParse(number, out var type);
        return fields.Text("name") is { } name && NameRules.IsValid(type, name)
            ? NameAnswer.Of(json =>
            {
                json.WriteStartObject();
                json.WriteString("name", NameHash.Of(name).ToString());
                json.WriteEndObject();
            })
            : throw Bad("name");
    }

    private static void Write(Utf8JsonWriter json, NameType type, NameHash hash, NameRecord record, int? requestIndex)
    {
        json.WriteStartObject();
        if (requestIndex is { } index)
            json.WriteNumber("request_index", index);
        json.WriteNumber("type", (int)type);
        json.WriteString("name_hash", hash.ToString());
        json.WriteString("owner", record.Owner);
        if (record.BackupOwner is { } backup)
            json.WriteString("backup_owner", backup);
        json.WriteString("encrypted_value", Convert.ToHexStringLower(record.EncryptedValue.AsSpan()));
        json.WriteNumber("update_height", record.UpdateHeight);
        if (record.ExpirationHeight is { } last)
            json.WriteNumber("expiration_height", last);
        json.WriteString("txid", record.TransactionId);
        json.WriteEndObject();
    }

    private static NameHash Hash(string text) => NameHash.TryParse(text, out var hash) && hash.IsUsable ? hash : throw Bad("name_hash");

    private static ParameterException Bad(string field) => new($"bad parameter: '{field}'");

    private static string Explain(NameOutcome outcome) => outcome switch
    {
        NameOutcome.AlreadyRegistered => "already registered",
        NameOutcome.NotRegistered => "not registered",
        NameOutcome.Expired => "expired",
        NameOutcome.BadSignature => "bad signature",
        NameOutcome.StalePrevious => "stale prev_txid",
        NameOutcome.Unchanged => "unchanged field",
        NameOutcome.OtherRecordsOwner => "not the owner of the other record",
        NameOutcome.RateLimited => "rate limited",
        NameOutcome.FeeNotPaid => "the operator has not enough coins for the fee",
        _ => "bad parameter",
    };

    private sealed class ParameterException(string message) : Exception(message);

    /// <summary>The members of an object of parameters, whose absence and whose type are looked at where they are used.</summary>
    private readonly struct Fields
    {
        private readonly JsonElement _parameters;

        public Fields(JsonElement parameters) => _parameters =
            parameters.ValueKind is JsonValueKind.Object or JsonValueKind.Undefined ? parameters : throw new ParameterException("bad parameter: the parameters are not an object");

        /// <summary>A text; null if it is absent, null or empty.</summary>
        public string? Text(string name) =>
            !TryGet(name, out var value) ? null
            : value.ValueKind is not JsonValueKind.String ? throw Bad(name)
            : value.GetString() is { Length: > 0 } text ? text : null;

        public bool Flag(string name) =>
            TryGet(name, out var value) && (value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Bad(name));

        public int Type()
        {
            if (!TryGet("type", out var value))
                throw Bad("type");
            return value.ValueKind is JsonValueKind.Number && value.TryGetInt32(out var number) && NameTypes.TryParse(number, out _) ? number
                : value.ValueKind is JsonValueKind.String && NameTypes.TryParse(value.GetString()!, out int spelled) ? spelled
                : throw Bad("type");
        }

        public ImmutableArray<byte> Hex(string name)
        {
            try
            {
                return Text(name) is { } hex ? [.. Convert.FromHexString(hex)] : [];
            }
            catch (FormatException)
            {
                throw Bad(name);
            }
        }

        /// <summary>A signature in hex or base64; empty if there is none.</summary>
        public ImmutableArray<byte> Signature()
        {
            const string Name = "signature";
            if (Text(Name) is not { } text)
                return [];
            var bytes = new byte[2 * Protocol.Cryptography.Ed25519.SignatureLength];
            if (text.Length == 2 * Protocol.Cryptography.Ed25519.SignatureLength)
                return Hex(Name);
            return Convert.TryFromBase64String(text.PadRight((text.Length + 3) / 4 * 4, '='), bytes, out var length)
                && length == Protocol.Cryptography.Ed25519.SignatureLength ? [.. bytes.AsSpan(0, length)] : throw Bad(Name);
        }

        public string[] Texts(string name, int most) =>
            [.. List(name, most).Select(value => value.ValueKind is JsonValueKind.String ? value.GetString()! : throw Bad(name))];

        public int[] Numbers(string name, int most) =>
            [.. List(name, most).Select(value => value.ValueKind is JsonValueKind.Number && value.TryGetInt32(out var number) ? number : throw Bad(name))];

        private JsonElement[] List(string name, int most) =>
            TryGet(name, out var value) && value.ValueKind is JsonValueKind.Array && value.GetArrayLength() <= most ? [.. value.EnumerateArray()]
                : throw new ParameterException(string.Create(CultureInfo.InvariantCulture, $"bad parameter: '{name}' is not a list of at most {most}"));

        private bool TryGet(string name, out JsonElement value)
        {
            value = default;
            return _parameters.ValueKind is JsonValueKind.Object && _parameters.TryGetProperty(name, out value) && value.ValueKind is not JsonValueKind.Null;
        }
    }
}

/// <summary>An answer of the name methods.</summary>
/// <param name="Result">The result, as JSON; empty for an error.</param>
/// <param name="Code">Code of the error; 0 if there is none.</param>
/// <param name="Message">Text of the error.</param>
public readonly record struct NameAnswer(ReadOnlyMemory<byte> Result, int Code, string Message)
{
    internal static NameAnswer Error(int code, string message) => new(default, code, message);

    internal static NameAnswer Of(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
            write(json);
        return new(buffer.WrittenMemory, 0, "");
    }
}
