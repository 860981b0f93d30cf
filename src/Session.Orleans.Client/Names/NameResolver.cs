using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Names;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client.Names;

/// <summary>Finds the Session ID behind a name by asking three nodes through onion paths, as Session apps do (names.md, 7 and 10).</summary>
public sealed class NameResolver
{
    private const int Witnesses = 3;

    private readonly Func<OxendRequest, CancellationToken, Task<StorageResult[]>> _ask;

    /// <summary>Asks over a network that is in use already; a node that fails is replaced by another.</summary>
    public NameResolver(SessionNetwork network) => _ask = (question, cancellationToken) => network.AskNodesAsync(question, Witnesses, cancellationToken);

    /// <summary>Asks three nodes of a list, each once.</summary>
    /// <param name="onion">Sends the requests.</param>
    /// <param name="pool">The service nodes, from <see cref="SeedClient"/>.</param>
    public NameResolver(OnionClient onion, IReadOnlyList<SnodeAddress> pool) => _ask = (question, cancellationToken) =>
    {
        // One node alone could lie about it; whoever controls three random ones controls much more.
        var nodes = pool.ToArray();
        Random.Shared.Shuffle(nodes);
        var request = StorageRequestWriter.ToArray(new BatchRequest { Requests = [question] });
        return Task.WhenAll(nodes.Take(Witnesses).Select(async node =>
        {
            var reply = await onion.SendAsync(OnionPath.Choose(pool, node), node, request, cancellationToken).ConfigureAwait(false);
            return ReadOnly(reply.Status, reply.Body);
        }));
    };

    /// <summary>The Session ID of <paramref name="name"/>; null if nobody has the name.</summary>
    /// <exception cref="SessionClientException">
    /// The name is malformed, a node refused or could not be reached, the nodes disagree, or the record can't be decrypted.
    /// </exception>
    public async Task<AccountId?> ResolveAsync(string name, CancellationToken cancellationToken = default)
    {
        if (!NameRules.IsValid(NameType.Session, name))
            throw new SessionClientException($"'{name}' is no name: 1 to {NameRules.MaxLength} of a-z, 0-9, '_' and, inside, '-'.");
        var question = new OxendRequest
        {
            Endpoint = OxendRequest.OnsResolve,
            ParametersJson = Encoding.ASCII.GetBytes($$"""{"type":{{(int)NameType.Session}},"name_hash":"{{NameHash.Of(name)}}"}"""),
        };
        var answers = (await _ask(question, cancellationToken).ConfigureAwait(false)).Select(answer => Read(name, answer)).Distinct().ToArray();
        return answers.Length == 1 ? answers[0] : throw new SessionClientException($"The nodes disagree about '{name}'.");
    }

    private static StorageResult ReadOnly(int status, ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            if (status == 200 && document.RootElement.TryList("results", out var results) && results.GetArrayLength() == 1 && results[0].TryNumber("code", out var code)
                && results[0].TryMember("body", out var inner))
                return new((int)code, inner.Clone());
        }
        catch (JsonException)
        {
            // Refusals are text.
        }

        return new(status == 200 ? 0 : status, JsonElement.Parse($"\"{JsonEncodedText.Encode(Encoding.UTF8.GetString(body.Span))}\""));
    }

    private static AccountId? Read(string name, StorageResult answer)
    {
        if (answer.Status is not 200)
            throw new SessionClientException($"A node could not look up '{name}': {answer.Text}", answer.Status);
        if (!answer.Body.TryMember("result", out var result) || result.ValueKind is not JsonValueKind.Object)
            throw new SessionClientException($"A node's answer about '{name}' can't be read.");
        if (!result.TryMember("encrypted_value", out _))
            return null;
        try
        {
            if (result.TryText("encrypted_value", out var value)
                && NameCipher.TryDecryptSession(name, Convert.FromHexString(value + (result.TryText("nonce", out var nonce) ? nonce : "")), out var account))
                return account;
        }
        catch (FormatException exception)
        {
            throw new SessionClientException($"A node's answer about '{name}' can't be read.", exception);
        }

        throw new SessionClientException($"The record of '{name}' can't be decrypted.");
    }
}
