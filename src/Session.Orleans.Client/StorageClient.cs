using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client;

/// <summary>The storage RPC through onion requests: finds swarms, stores and retrieves, and verifies what the members sign.</summary>
/// <param name="onion">Sends the requests.</param>
/// <param name="pool">The service nodes, from <see cref="SeedClient"/>.</param>
/// <param name="time">The clock that requests are signed with.</param>
public sealed class StorageClient(OnionClient onion, IReadOnlyList<SnodeAddress> pool, TimeProvider time)
{
    /// <summary>Asks a random node for the account's swarm.</summary>
    /// <exception cref="SessionClientException">No usable answer.</exception>
    public async Task<SwarmInfo> GetSwarmAsync(AccountId account, CancellationToken cancellationToken = default)
    {
        var node = pool[Random.Shared.Next(pool.Count)];
        var reply = await SendAsync(OnionPath.Choose(pool, node), node, new GetSwarmRequest { Account = account }, cancellationToken).ConfigureAwait(false);
        var members = reply.GetProperty("snodes").EnumerateArray().Select(member => new SnodeAddress(
            Ed25519PublicKey.ParseHex(member.GetProperty("pubkey_ed25519").GetString()),
            X25519PublicKey.ParseHex(member.GetProperty("pubkey_x25519").GetString()),
            member.GetProperty("ip").GetString()!,
            member.GetProperty("port_https").GetInt32()));
        return new(reply.GetProperty("swarm").GetString()!, [.. members]);
    }

    /// <summary>Stores a message and checks the signature of every member that claims to have it.</summary>
    /// <param name="path">The way there.</param>
    /// <param name="destination">A member of the recipient's swarm.</param>
    /// <param name="recipient">The account whose mailbox it goes to.</param>
    /// <param name="data">At most 76800 bytes.</param>
    /// <param name="ttl">Time to live, 10 s to 14 days.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">It was refused, or no member confirmed it.</exception>
    public async Task<StoredReceipt> StoreAsync(
        OnionPath path, SnodeAddress destination, AccountId recipient, ReadOnlyMemory<byte> data, TimeSpan ttl, CancellationToken cancellationToken = default)
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var request = new StoreRequest { Account = recipient, Timestamp = now, Expiry = now + (long)ttl.TotalMilliseconds, Data = data };
        var reply = await SendAsync(path, destination, request, cancellationToken).ConfigureAwait(false);
        var hash = reply.TryGetProperty("hash", out var given) ? given.GetString()! : "";
        if (hash != request.ComputeHash().ToString())
            throw new SessionClientException("No member of the swarm confirmed the message.");

        var signed = Encoding.ASCII.GetBytes(hash);
        var members = reply.GetProperty("swarm").EnumerateObject().Select(member => new MemberConfirmation(
            Ed25519PublicKey.ParseHex(member.Name),
            member.Value.TryGetProperty("signature", out var signature)
                && Protocol.Cryptography.Ed25519.Verify(Convert.FromHexString(member.Name), signed, signature.GetBytesFromBase64())));
        return new(hash, [.. members]);
    }

    /// <summary>Retrieves the messages of namespace 0 of an account.</summary>
    /// <param name="path">The way there.</param>
    /// <param name="destination">A member of the account's swarm.</param>
    /// <param name="account">The account's keys; its Session ID names the mailbox.</param>
    /// <param name="lastHash">Only messages after this one; null for all.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">It was refused.</exception>
    public async Task<RetrievedPage> RetrieveAsync(
        OnionPath path, SnodeAddress destination, Ed25519KeyPair account, MessageHash? lastHash = null, CancellationToken cancellationToken = default)
    {
        var request = new RetrieveRequest
        {
            Account = account.SessionId,
            LastHash = lastHash,
            Timestamp = time.GetUtcNow().ToUnixTimeMilliseconds(),
        }.SignWith(account);
        var reply = await SendAsync(path, destination, request, cancellationToken).ConfigureAwait(false);
        var messages = reply.GetProperty("messages").EnumerateArray().Select(message => new RetrievedData(
            message.GetProperty("hash").GetString()!, message.GetProperty("timestamp").GetInt64(), message.GetProperty("data").GetBytesFromBase64()));
        return new([.. messages], reply.GetProperty("more").GetBoolean());
    }

    private async Task<JsonElement> SendAsync(OnionPath path, SnodeAddress destination, StorageRequest request, CancellationToken cancellationToken)
    {
        var reply = await onion.SendAsync(path, destination, StorageRequestWriter.ToArray(request), cancellationToken).ConfigureAwait(false);
        if (reply.Status is not 200)
            throw new SessionClientException($"{request.Method} was answered {reply.Status}: {Encoding.UTF8.GetString(reply.Body.Span)}", reply.Status);
        try
        {
            using var document = JsonDocument.Parse(reply.Body);
            return document.RootElement.Clone();
        }
        catch (JsonException exception)
        {
            throw new SessionClientException($"The reply to {request.Method} is not JSON.", exception);
        }
    }
}

/// <summary>A swarm as a client learns of it.</summary>
/// <param name="Id">Swarm id in hex.</param>
/// <param name="Members">Its members.</param>
public sealed record SwarmInfo(string Id, IReadOnlyList<SnodeAddress> Members);

/// <summary>What the swarm said of a stored message.</summary>
/// <param name="Hash">The message's hash, 43 characters.</param>
/// <param name="Members">One entry per member.</param>
public sealed record StoredReceipt(string Hash, IReadOnlyList<MemberConfirmation> Members);

/// <summary>One member's word on a stored message.</summary>
/// <param name="Node">The member.</param>
/// <param name="IsValid">True if it signed the hash and the signature verifies.</param>
public readonly record struct MemberConfirmation(Ed25519PublicKey Node, bool IsValid);

/// <summary>Some messages of a mailbox.</summary>
/// <param name="Messages">In storage order.</param>
/// <param name="More">True if there are further ones.</param>
public sealed record RetrievedPage(IReadOnlyList<RetrievedData> Messages, bool More);

/// <summary>A retrieved message.</summary>
/// <param name="Hash">The message's hash, 43 characters.</param>
/// <param name="Timestamp">The sender's time, unix ms.</param>
/// <param name="Data">The data as the sender stored it.</param>
public sealed record RetrievedData(string Hash, long Timestamp, ReadOnlyMemory<byte> Data);
