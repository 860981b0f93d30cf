using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Session.Orleans.Storage;

/// <summary>A Lua script, called by its hash and sent in full only to a server that does not know it (any more).</summary>
internal sealed class Script(string text)
{
    // The client wants the hash as raw bytes. Redis defines it as SHA-1; it protects nothing here.
#pragma warning disable CA5350
    private readonly byte[] _hash = SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350

    public Task<RedisResult> RunAsync(IDatabase database, RedisKey[] keys, RedisValue[] values)
    {
        var task = database.ScriptEvaluateAsync(_hash, keys, values);
        return task.IsCompletedSuccessfully ? task : WithFallback(task, database, keys, values);
    }

    private async Task<RedisResult> WithFallback(Task<RedisResult> first, IDatabase database, RedisKey[] keys, RedisValue[] values)
    {
        try
        {
            return await first.ConfigureAwait(false);
        }
        catch (RedisServerException e) when (e.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            return await database.ScriptEvaluateAsync(text, keys, values).ConfigureAwait(false);
        }
    }
}
