using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Session.Orleans.Chain.Tests;

/// <summary>A chain with a small world around it: nodes that run or are down, send proofs and make the planned tests.</summary>
internal sealed class TestNetwork
{
    public static readonly WalletAddress Bank = new("bank");

    public TestNetwork(ServiceNodeChain chain) => Chain = chain;

    public ServiceNodeChain Chain { get; set; }

    /// <summary>Nodes that send no proof, test nobody, answer nobody and don't vote.</summary>
    public HashSet<int> Down { get; } = [];

    /// <summary>Nodes that only send no proof.</summary>
    public HashSet<int> Mute { get; } = [];

    public BlockResult Last { get; private set; } = null!;

    /// <summary>A chain whose genesis at height 1 registers nodes 0..count-1, each with the full stake from a wallet of its own.</summary>
    public static TestNetwork Create(int nodes, ChainRules? rules = null)
    {
        rules ??= ChainRules.Network;
        return new(ServiceNodeChain.Create(rules, new(1, Hash(1))
        {
            Operations = [new Mint(Bank, 1_000_000_000_000_000_000), .. Enumerable.Range(0, nodes).SelectMany(node => Join(node, rules))],
        }));
    }

    /// <summary>Money and registration of a node with the full stake.</summary>
    public static IEnumerable<ChainOperation> Join(int node, ChainRules rules) =>
        [new Mint(Owner(node), rules.StakingRequirement), new Register(node, Key(node), [new(Owner(node), rules.StakingRequirement)])];

    public static WalletAddress Owner(int node) => new($"owner-{node}");

    public static Ed25519PublicKey Key(int node) => new(SHA256.HashData(BitConverter.GetBytes(node)));

    /// <summary>Any hash will do, if it is the same every time.</summary>
    public static Bytes32 Hash(long height, int world = 0)
    {
        Span<byte> text = stackalloc byte[12];
        BinaryPrimitives.WriteInt64LittleEndian(text, height);
        BinaryPrimitives.WriteInt32LittleEndian(text[8..], world);
        return new(SHA256.HashData(text));
    }

    /// <summary>Plays the time until the next block, and the block.</summary>
    public BlockResult Block(params IEnumerable<ChainOperation> operations)
    {
        var height = Chain.Height + 1;
        return Last = Chain.AddBlock(new(height, Hash(height))
        {
            Operations = [.. operations],
            PeerTestResults = [.. Chain.PlanPeerTests().Where(test => !Down.Contains(test.Tester))
                .Select(test => new PeerTestResult(test, !Down.Contains(test.Testee)))],
            UptimeProofs = [.. Chain.Nodes.Where(node => !Down.Contains(node.Index) && !Mute.Contains(node.Index)
                && Chain.Rules.IsProofDue(node.Index, height)).Select(node => new UptimeProof(node.Index, $"10.0.0.{node.Index}"))],
            SilentNodes = Down,
        });
    }

    public void Blocks(long count)
    {
        for (var i = 0L; i < count; i++)
            _ = Block();
    }

    /// <summary>Makes blocks until the last one satisfies the condition; returns how many.</summary>
    public int BlocksUntil(Func<TestNetwork, bool> condition, int most = 5000)
    {
        for (var i = 1; i <= most; i++)
        {
            _ = Block();
            if (condition(this))
                return i;
        }

        throw new InvalidOperationException($"Not reached within {most} blocks.");
    }

    public ServiceNodeRecord Node(int index) => Chain.FindNode(index) ?? throw new InvalidOperationException($"There is no node {index}.");

    public NodeStatus? Status(int index) => Chain.FindNode(index)?.Status;

    public IEnumerable<TEvent> Events<TEvent>() where TEvent : ChainEvent => Last.Events.OfType<TEvent>();

    /// <summary>The reason for which the only operation of the next block is rejected.</summary>
    public string Rejection(ChainOperation operation)
    {
        _ = Block(operation);
        return Events<OperationRejected>().Single().Reason;
    }
}
