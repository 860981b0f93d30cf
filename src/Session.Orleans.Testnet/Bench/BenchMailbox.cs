using System.Collections.Immutable;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Testnet.Bench;

/// <summary>A mailbox that a benchmark has filled.</summary>
/// <param name="Keys">Its account's, for polls.</param>
/// <param name="Swarm">Which of the network's swarms it is in.</param>
/// <param name="Messages">Hashes of its messages, in the order of storage.</param>
internal sealed record BenchMailbox(Ed25519KeyPair Keys, int Swarm, ImmutableArray<MessageHash> Messages);
