using System.Globalization;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Grains.Communities;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Cluster.Tests.Communities;

/// <summary>The rules of permissions and ranks, and what is stored (communities.md, 6.2, 7 and 10).</summary>
public sealed class RoomRulesTests
{
    private const string User = "15aa";

    private static readonly bool?[] Flags = [null, true, false];
    private static readonly bool[] Truths = [false, true];

    /// <summary>Every combination of default, override, rank and ban, against the rule as the specification words it.</summary>
    [Fact]
    public void Rights_InEveryCombination_FollowTheRule()
    {
        foreach (var standard in Truths)
        foreach (var own in Flags)
        foreach (var banned in Truths)
        foreach (var (moderator, admin) in new[] { (false, false), (true, false), (true, true) })
        foreach (var (globalModerator, globalAdmin) in new[] { (false, false), (true, false), (true, true) })
        foreach (var anonymous in Truths)
        {
            var room = new RoomMemory { Record = new() { Token = "r", Name = "r", Read = standard, Accessible = standard, Write = standard, Upload = standard } };
            room.Members[User] = new() { Read = own, Accessible = own, Write = own, Upload = own, Banned = banned, Moderator = moderator, Admin = admin };
            var rights = room.RightsOf(anonymous ? CommunityCaller.Anonymous : new(User, globalModerator, globalAdmin));
            var ranked = !anonymous && (moderator || globalModerator);
            var may = anonymous ? standard : ranked || (!banned && (own ?? standard));
            Assert.Equal((may, may, may, may), (rights.Read, rights.Accessible, rights.Write, rights.Upload));
            Assert.Equal(may, rights.MayAccess);
            Assert.Equal((ranked, !anonymous && (admin || globalAdmin)), (rights.Moderator, rights.Admin));
        }
    }

    [Fact]
    public void Upload_NeedsWriting_AndAccess_IsSatisfiedByReading()
    {
        var room = new RoomMemory { Record = new() { Token = "r", Name = "r", Write = false, Accessible = false } };
        var rights = room.RightsOf(CommunityCaller.Anonymous);
        Assert.Equal((false, false, true), (rights.Write, rights.Upload, rights.MayAccess));
    }

    [Theory]
    [InlineData(true, true, false, false, true, true)]
    [InlineData(null, true, false, false, true, true)]
    [InlineData(true, null, true, true, true, true)]
    [InlineData(true, null, false, false, true, false)]
    [InlineData(true, false, true, true, true, false)]
    [InlineData(null, false, true, true, true, false)]
    [InlineData(null, false, false, false, false, false)]
    [InlineData(false, null, true, true, false, false)]
    [InlineData(false, false, true, false, false, false)]
    public void Ranks_ChangeAsAsked(bool? moderator, bool? admin, bool wasModerator, bool wasAdmin, bool isModerator, bool isAdmin) =>
        Assert.Equal((isModerator, isAdmin), new ModeratorChange(moderator, admin, true).From(wasModerator, wasAdmin));

    [Fact]
    public void Post_IsUnpackedAsItWasPacked()
    {
        var random = new Random(5);
        for (var i = 0; i < 500; i++)
        {
            var data = new byte[random.Next(2000)];
            random.NextBytes(data);
            var post = new Post
            {
                Id = random.NextInt64(),
                Author = User + i.ToString(CultureInfo.InvariantCulture),
                Posted = random.NextDouble() * 2e9,
                Created = random.Next(),
                Changed = random.Next(),
                Reacted = random.Next(2) * random.Next(),
                Edited = random.Next(2) == 0 ? null : random.NextDouble(),
                IsDeleted = random.Next(2) == 0,
                WhisperTo = random.Next(2) == 0 ? null : User,
                WhisperMods = random.Next(2) == 0,
                Files = [.. Enumerable.Range(0, random.Next(4)).Select(_ => random.NextInt64())],
                Data = data,
                Signature = new byte[random.Next(2) * 64],
            };
            var again = Post.Unpack(post.Pack());
            Assert.Equal(post.Data.ToArray(), again.Data.ToArray());
            Assert.Equal(post.Signature.ToArray(), again.Signature.ToArray());
            Assert.Equal(post.Files.AsEnumerable(), again.Files);
            Assert.Equal(post with { Data = default, Signature = default, Files = [] }, again with { Data = default, Signature = default, Files = [] });
        }
    }

    [Fact]
    public void Post_OfAnUnknownFormat_IsNotTakenForAnother() => Assert.Throws<InvalidDataException>(() => Post.Unpack(new byte[] { 2, 0, 0 }));

    [Fact]
    public void Reactions_KeepTheOrderOfFirstUse()
    {
        var user = (int number) => "15" + number.ToString("x64", CultureInfo.InvariantCulture);
        var changes = new CommunityChanges();
        var reactions = Reactions.None
            .Add("b", new(user(1), 1, 1.5), changes, 7).Add("a", new(user(1), 2, 2), changes, 7).Add("b", new(user(2), 3, 3), changes, 7)
            .Remove("b", user(1), changes, 7);
        Assert.Equal(["b", "a"], reactions.All.Select(one => one.Emoji));
        Assert.True(reactions.Has(user(2), "b") && !reactions.Has(user(1), "b"));
        Assert.Equal(["a", "b"], reactions.Remove("b", user(2), changes, 7).Add("b", new(user(3), 4, 4), changes, 7).All.Select(one => one.Emoji));
        Assert.Equal(1, reactions.Clear("b", changes, 7).Count);
    }
}
