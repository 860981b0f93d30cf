using CsCheck;
using Session.Orleans.Chain.Snapshots;

namespace Session.Orleans.Chain.Tests;

/// <summary>Random operations, sensible and not, on a network whose nodes come and go: whatever happens, the invariants hold.</summary>
public sealed class RandomLifeTests
{
    [Fact]
    public void AnyLife_KeepsTheInvariants() => Gen.Select(Gen.Int, Gen.Int[0, 25], Gen.Int[1, 60]).Sample(
        (seed, nodes, speed) =>
        {
            var life = new Life(seed, nodes, speed);
            for (var block = 0; block < 150; block++)
            {
                life.Step();
                Invariants.Hold(life.Network.Chain);
            }
        },
        iter: 60);

    [Fact]
    public void AnyLife_RestoredAtAnyBlock_ContinuesIdentically() => Gen.Select(Gen.Int, Gen.Int[0, 25], Gen.Int[1, 60]).Sample(
        (seed, nodes, speed) =>
        {
            var (life, twin) = (new Life(seed, nodes, speed), new Life(seed, nodes, speed));
            for (var block = 0; block < 80; block++)
            {
                // One of the two is saved and loaded before every block; both play the same random life.
                twin.Network.Chain = ServiceNodeChain.Restore(ChainSnapshot.FromJson(twin.Network.Chain.TakeSnapshot().ToJson()));
                Assert.Equal(life.Step().Events.Select(happened => happened.ToString()), twin.Step().Events.Select(happened => happened.ToString()));
            }

            Assert.Equal(life.Network.Chain.TakeSnapshot().ToJson(), twin.Network.Chain.TakeSnapshot().ToJson());
        },
        iter: 20);

    private sealed class Life(int seed, int nodes, int speed)
    {
        private readonly Random _random = new(seed);

        public TestNetwork Network { get; } = TestNetwork.Create(
            nodes, ChainRules.ForTestnet(speed) with { StakingRequirement = 1000, RewardPerBlock = 77, UnlockDelay = 5, DeregistrationLock = 20 });

        public BlockResult Step()
        {
            if (_random.Next(4) == 0)
                _ = Network.Down.Add(_random.Next(40));
            if (_random.Next(4) == 0)
                _ = Network.Down.Remove(_random.Next(40));
            return Network.Block(Enumerable.Range(0, _random.Next(6)).Select(_ => Operation()).ToList());
        }

        private ChainOperation Operation() => _random.Next(9) switch
        {
            0 => new Mint(Wallet(), Amount()),
            1 => new Transfer(Wallet(), Wallet(), Amount()),
            2 or 3 => new Register(Node(), TestNetwork.Key(Node()), [.. Enumerable.Range(0, _random.Next(4)).Select(_ => new Contribution(Wallet(), Amount()))],
                _random.Next(1_000_001)),
            4 => new Contribute(Node(), Wallet(), Amount()),
            5 => new RequestUnlock(Node(), Wallet()),
            6 => new Decommission(Node()),
            7 => new Recommission(Node()),
            _ => new Deregister(Node()),
        };

        private int Node() => _random.Next(40);

        private WalletAddress Wallet() => _random.Next(12) switch
        {
            0 => default,
            < 4 => TestNetwork.Bank,
            _ => TestNetwork.Owner(_random.Next(40)),
        };

        private long Amount() => _random.Next(10) switch
        {
            0 => _random.NextInt64(long.MinValue, long.MaxValue),
            < 5 => 1000,
            _ => _random.Next(-5, 1001),
        };
    }
}
