using System.Globalization;
using System.Text.Json;
using Session.Orleans.Grains.Names;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Grains.ServiceNodes;

/// <content>Names, as a node passes the question on to the chain (network.md, 9; names.md, 7).</content>
internal sealed partial class StorageRpcService
{
    // Shorter than the node before this one waits for an answer, and than a client.
    private static readonly TimeSpan NameLimit = TimeSpan.FromSeconds(8);

    private async ValueTask<StorageReply> OnsResolveAsync(StorageCall call, JsonElement parameters)
    {
        var answer = await ResolveAsync(call, parameters);
        return answer.Code == 0
            ? Write(output => StorageReplies.WriteOxend(output, answer.Result.Span, call.Clock))
            : StorageReply.FromError(new(400, string.Create(CultureInfo.InvariantCulture, $"RPC error {answer.Code}: {answer.Message}")));
    }

    /// <summary>
    /// Asks again while the name's grain moves from a silo that leaves. A rejection must not leave the node: whoever sent it an onion's layer would
    /// send it once more, and the layer is open already.
    /// </summary>
    /// <exception cref="TimeoutException">The name's grain takes no calls, and none after a while.</exception>
    private async ValueTask<NameAnswer> ResolveAsync(StorageCall call, JsonElement parameters)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            try
            {
                return await names.ResolveAsync(parameters);
            }
            catch (OrleansMessageRejectionException exception)
            {
                if (time.GetElapsedTime(start) > NameLimit)
                    throw new TimeoutException("The grain of a name took no calls.", exception);
            }

            await Task.Delay(LongestPause, time, call.CancellationToken);
        }
    }
}
