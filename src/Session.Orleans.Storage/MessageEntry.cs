using System.Collections.Immutable;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Storage;

/// <summary>What the index of a mailbox knows of one message; everything but its payload.</summary>
/// <param name="Hash">Identity of the message.</param>
/// <param name="Namespace">Namespace within the account.</param>
/// <param name="Timestamp">The sender's time, Unix milliseconds. The first store's time stays when the message is stored again.</param>
/// <param name="Expiry">End of life, Unix milliseconds; see <see cref="MessageLifetime"/> for when the message really goes.</param>
/// <param name="Size">Length of the payload in bytes.</param>
/// <param name="Sequence">
/// Place in the mailbox: larger than that of every message stored before, over all namespaces. Not dense. At most 2^53.
/// </param>
/// <param name="Missing">Swarm members that do not hold the message; null in the normal case that all do.</param>
public readonly record struct MessageEntry(
    MessageHash Hash, short Namespace, long Timestamp, long Expiry, int Size, long Sequence, MissingMembers? Missing = null);

/// <summary>Swarm members that could not be reached when a message was stored.</summary>
/// <param name="Height">Height of the top block at that moment. Whoever catches up at a later block has the message from then on.</param>
/// <param name="Nodes">Indices of the members, at least one.</param>
public sealed record MissingMembers(long Height, ImmutableArray<ushort> Nodes);

/// <summary>A message about to be appended; the store gives it its sequence number.</summary>
/// <param name="Hash">Identity of the message.</param>
/// <param name="Namespace">Namespace within the account.</param>
/// <param name="Timestamp">The sender's time, Unix milliseconds.</param>
/// <param name="Expiry">End of life, Unix milliseconds.</param>
/// <param name="Missing">Swarm members that do not get it, also if it was stored before; null if all do.</param>
public readonly record struct NewMessage(
    MessageHash Hash, short Namespace, long Timestamp, long Expiry, MissingMembers? Missing = null);

/// <summary>A new expiry for one message.</summary>
/// <param name="Hash">Identity of the message.</param>
/// <param name="Expiry">Its new end of life, Unix milliseconds; earlier or later than the old one.</param>
public readonly record struct ExpiryChange(MessageHash Hash, long Expiry);

/// <summary>A subaccount token that no longer gives access (storage-rpc.md, 3.3).</summary>
/// <param name="Token">The whole token, 36 bytes.</param>
/// <param name="InsertedAt">When it was revoked (last), Unix milliseconds on the store's clock.</param>
public readonly record struct RevokedToken(ReadOnlyMemory<byte> Token, long InsertedAt);
