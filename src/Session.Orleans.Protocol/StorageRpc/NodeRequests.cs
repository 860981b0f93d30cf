using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc.Parsing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Asks for the server's time and version (storage-rpc.md, 13). No parameters.</summary>
public sealed record InfoRequest : StorageRequest
{
    /// <inheritdoc/>
    public override string Method => "info";

    internal static RequestTableEntry Entry { get; } =
        new("info", [], static (ref ParameterFields _, in StorageParseOptions _) => new InfoRequest());
}

/// <summary>Asks for the swarm of an account, under the name <c>get_swarm</c> or <c>get_snodes_for_pubkey</c>; any node answers.</summary>
public sealed record GetSwarmRequest : StorageRequest
{
    private const int PubKey = 0, Pubkey = 1;

    /// <inheritdoc/>
    public override string Method => "get_swarm";

    /// <summary>The account.</summary>
    public required AccountId Account { get; init; }

    internal static RequestTableEntry Entry { get; } = CreateEntry("get_swarm");

    internal static RequestTableEntry OldEntry { get; } = CreateEntry("get_snodes_for_pubkey");

    private static RequestTableEntry CreateEntry(string name) =>
        new(name, [new("pubKey", FieldKind.Text), new("pubkey", FieldKind.Text)], Create);

    private static GetSwarmRequest? Create(ref ParameterFields fields, in StorageParseOptions options) =>
        fields.RequireOne(Pubkey, PubKey, "'pubkey'") is >= 0 and var pubkey
            ? new() { Account = fields.Account(pubkey, options, "Pubkey must be 66 hex digits/33 bytes long") }
            : null;
}

/// <summary>Passes a question on to the blockchain daemon (storage-rpc.md, 13).</summary>
public sealed record OxendRequest : StorageRequest
{
    /// <summary>Endpoint: the list of service nodes.</summary>
    public const string GetServiceNodes = "get_service_nodes";

    /// <summary>Endpoint: look up a name.</summary>
    public const string OnsResolve = "ons_resolve";

    private const int EndpointName = 0, Parameters = 1;

    /// <inheritdoc/>
    public override string Method => "oxend_request";

    /// <summary><see cref="GetServiceNodes"/> or <see cref="OnsResolve"/>.</summary>
    public required string Endpoint { get; init; }

    /// <summary>JSON text of <c>params</c>; empty if there are none.</summary>
    public ReadOnlyMemory<byte> ParametersJson { get; init; }

    internal static RequestTableEntry Entry { get; } = new(
        "oxend_request", [new("endpoint", FieldKind.Text), new("params", FieldKind.Any)], Create);

    private static OxendRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(EndpointName))
            return null;
        var endpoint = Encoding.UTF8.GetString(fields.Text(EndpointName));
        if (endpoint is not (GetServiceNodes or OnsResolve))
            fields.Fail($"Invalid oxend endpoint '{endpoint}'");
        if (fields.Form is RequestForm.Json)
            return new() { Endpoint = endpoint, ParametersJson = fields.Raw(Parameters).ToArray() };

        var json = ReadJsonText(ref fields);
        return new() { Endpoint = endpoint, ParametersJson = json.SequenceEqual("null"u8) ? default : json.ToArray() };
    }

    // The bencoded form holds the parameters as a JSON text, which nobody has looked at yet.
    private static ReadOnlySpan<byte> ReadJsonText(ref ParameterFields fields)
    {
        if (!fields.Has(Parameters))
            return [];
        if (fields.Type(Parameters) is not JsonTokenType.String)
        {
            fields.Fail("Invalid value given for 'params': expected string");
            return [];
        }

        var json = fields.Text(Parameters);
        if (!JsonScan.TryScan(json, [], [], out _))
            fields.Fail("oxend_request params field does not contain valid json");
        return json.Trim(" \t\r\n"u8);
    }
}
