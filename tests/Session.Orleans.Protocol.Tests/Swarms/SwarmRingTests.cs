using System.Globalization;
using CsCheck;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Swarms;

namespace Session.Orleans.Protocol.Tests.Swarms;

public sealed class SwarmRingTests
{
    [Fact]
    public void TryFind_VectorAccounts_FindsTheirSwarmInEveryTable()
    {
        var file = Vectors.Load("swarm_mapping.json");
        var rings = file.GetProperty("tables").EnumerateObject().ToDictionary(
            table => table.Name, table => new SwarmRing(table.Value.EnumerateArray().Select(id => Id(id.GetString()!)).Reverse()));
        var vectors = file.GetProperty("vectors").EnumerateArray().ToList();
        Assert.Equal(50, vectors.Count);
        foreach (var vector in vectors)
        {
            var account = AccountId.Parse(vector.Text("pubkey"));
            Assert.Equal(vector.Text("position_hex"), account.RingPosition.ToString("x16", CultureInfo.InvariantCulture));
            foreach (var expected in vector.GetProperty("swarm").EnumerateObject())
            {
                Assert.True(rings[expected.Name].TryFind(account, out var swarm));
                Assert.Equal(expected.Value.GetString(), swarm.ToString());
            }
        }
    }

    [Fact]
    public void TryFind_NoSwarms_FindsNone()
    {
        Assert.False(new SwarmRing([]).TryFind(5, out var swarm));
        Assert.Equal(SwarmId.Unassigned, swarm);
        Assert.False(new SwarmRing([SwarmId.Unassigned]).TryFind(5, out _));
    }

    [Fact]
    public void TryFind_AnyRing_IsTheNearestAndOnATieTheLower() =>
        Gen.Select(Gen.OneOf(Gen.ULong, Gen.ULong[0, 40], Gen.ULong[ulong.MaxValue - 40, ulong.MaxValue - 1]).Array[1, 12],
            Gen.OneOf(Gen.ULong, Gen.ULong[0, 50], Gen.ULong[ulong.MaxValue - 50, ulong.MaxValue])).Sample(
            (ids, position) =>
            {
                ids = [.. ids.Where(id => id != ulong.MaxValue)];
                if (ids.Length == 0)
                    return;
                var nearest = ids.MinBy(id => (Math.Min(unchecked(id - position), unchecked(position - id)),
                    unchecked(position - id) <= unchecked(id - position) ? 0 : 1));
                Assert.True(new SwarmRing(ids.Select(id => new SwarmId(id))).TryFind(position, out var swarm));
                Assert.Equal(nearest, swarm.Value);
            },
            iter: 10000);

    private static SwarmId Id(string hex) => new(ulong.Parse(hex, NumberStyles.HexNumber, CultureInfo.InvariantCulture));
}
