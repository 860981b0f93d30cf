using System.Globalization;
using System.Text.Json;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Grains.ServiceNodes;

/// <content>Names, as a node passes the question on to the chain (network.md, 9; names.md, 7).</content>
internal sealed partial class StorageRpcService
{
    private async ValueTask<StorageReply> OnsResolveAsync(StorageCall call, JsonElement parameters)
    {
        var answer = await names.ResolveAsync(parameters);
        return answer.Code == 0
            ? Write(output => StorageReplies.WriteOxend(output, answer.Result.Span, call.Clock))
            : StorageReply.FromError(new(400, string.Create(CultureInfo.InvariantCulture, $"RPC error {answer.Code}: {answer.Message}")));
    }
}
