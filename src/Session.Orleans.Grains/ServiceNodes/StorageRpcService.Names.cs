using System.Globalization;
using System.Text.Json;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Grains.ServiceNodes;

/// <content>Names (network.md, 9). No name is registered in this network yet, so that every well-formed question finds nothing.</content>
internal sealed partial class StorageRpcService
{
    private const string TypeMissing = "Unable to resolve ONS address: 'type' parameter not specified";
    private const int HighestType = 5;

    private static StorageReply OnsResolve(StorageCall call, JsonElement parameters)
    {
        if (parameters.ValueKind is not JsonValueKind.Object)
            return RpcError(TypeMissing);
        if (!parameters.TryGetProperty("type", out var type) || type.ValueKind is not JsonValueKind.Number
            || !type.TryGetInt32(out var number) || number is < 0 or > HighestType)
            return RpcError(TypeMissing);
        var hash = parameters.TryGetProperty("name_hash", out var given) && given.ValueKind is JsonValueKind.String ? given.GetString()! : "";
        if (!IsNameHash(hash))
            return RpcError(string.Create(CultureInfo.InvariantCulture, $"Unable to resolve ONS address: invalid 'name_hash' value '{hash}'"));
        return Write(output => StorageReplies.WriteOxend(output, "{}"u8, call.Clock));
    }

    private static StorageReply RpcError(string message) => StorageReply.FromError(new(400, "RPC error -1: " + message));

    // Base64 with or without padding, hex, or raw bytes.
    private static bool IsNameHash(string text)
    {
        Span<byte> decoded = stackalloc byte[Bytes32.Length + 1];
        return text.Length switch
        {
            43 => Convert.TryFromBase64String(text + "=", decoded, out var length) && length == Bytes32.Length,
            44 => Convert.TryFromBase64String(text, decoded, out var length) && length == Bytes32.Length,
            2 * Bytes32.Length => Bytes32.TryParseHex(text, out _),
            Bytes32.Length => true,
            _ => false,
        };
    }
}
