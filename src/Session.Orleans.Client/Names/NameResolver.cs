using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Names;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client.Names;

/// <summary>Finds the Session ID behind a name by asking three nodes through onion paths, as Session apps do (names.md, 7 and 10).</summary>
/// <param name="onion">Sends the requests.</param>
/// <param name="pool">The service nodes, from <see cref="SeedClient"/>.</param>
public sealed class NameResolver(OnionClient onion, IReadOnlyList<SnodeAddress> pool)
{
    private const int Witnesses = 3;

    /// <summary>The Session ID of <paramref name="name"/>; null if nobody has the name.</summary>
    /// <exception cref="SessionClientException">
    /// The name is malformed, a node refused or could not be reached, the nodes disagree, or the record can't be decrypted.
    /// </exception>
    public async Task<AccountId?> ResolveAsync(string name, CancellationToken cancellationToken = default)
    {
        if (!NameRules.IsValid(NameType.Session, name))
            throw new SessionClientException($"'{name}' is no name: 1 to {NameRules.MaxLength} of a-z, 0-9, '_' and, inside, '-'.");
        // One node alone could lie about it; whoever controls three random ones controls much more.
        var nodes = pool.ToArray();
        Random.Shared.Shuffle(nodes);
        var answers = await Task.WhenAll(nodes.Take(Witnesses).Select(node => AskAsync(name, node, cancellationToken))).ConfigureAwait(false);
        return answers.Distinct().Count() == 1 ? answers[0] : throw new SessionClientException($"The nodes disagree about '{name}'.");
    }

    private async Task<AccountId?> AskAsync(string name, SnodeAddress node, CancellationToken cancellationToken)
    {
        var question = new BatchRequest
        {
            Requests =
            [
                new OxendRequest
                {
                    Endpoint = OxendRequest.OnsResolve,
                    ParametersJson = Encoding.ASCII.GetBytes($$"""{"type":{{(int)NameType.Session}},"name_hash":"{{NameHash.Of(name)}}"}"""),
                },
            ],
        };
        var reply = await onion.SendAsync(OnionPath.Choose(pool, node), node, StorageRequestWriter.ToArray(question), cancellationToken).ConfigureAwait(false);
        try
        {
            using var document = JsonDocument.Parse(reply.Body);
            if (reply.Status is not 200 || document.RootElement.GetProperty("results")[0] is var first && first.GetProperty("code").GetInt32() is not 200)
                throw new SessionClientException($"A node could not look up '{name}': {Encoding.UTF8.GetString(reply.Body.Span)}", reply.Status);
            var result = first.GetProperty("body").GetProperty("result");
            if (!result.TryGetProperty("encrypted_value", out var value))
                return null;
            var nonce = result.TryGetProperty("nonce", out var given) ? given.GetString()! : "";
            return NameCipher.TryDecryptSession(name, Convert.FromHexString(value.GetString() + nonce), out var account)
                ? account : throw new SessionClientException($"The record of '{name}' can't be decrypted.");
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or IndexOutOfRangeException)
        {
            throw new SessionClientException($"A node's answer about '{name}' can't be read.", exception);
        }
    }
}
