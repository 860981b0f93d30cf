using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Session.Orleans.Storage.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>One user's reaction.</summary>
internal readonly record struct Reactor(string User, long Sequence, double Time);

/// <summary>Everybody's reactions with one emoji, in the order in which they came.</summary>
/// <param name="Emoji">The reaction's text.</param>
/// <param name="First">Sequence number of its first use since it was last unused: the order among the emojis.</param>
/// <param name="Reactors">Who.</param>
internal sealed record EmojiReactions(string Emoji, long First, ImmutableArray<Reactor> Reactors);

/// <summary>
/// All reactions to a message. In the store each is a line in the message's own table: <c>u</c>, user and emoji to sequence and time, and
/// <c>e</c> and emoji to the sequence number of its first use.
/// </summary>
internal sealed class Reactions
{
    private readonly ImmutableArray<EmojiReactions> _all;

    private Reactions(ImmutableArray<EmojiReactions> all) => _all = all;

    public static Reactions None { get; } = new([]);

    public ImmutableArray<EmojiReactions> All => _all;

    public int Count => _all.Sum(emoji => emoji.Reactors.Length);

    public static string Table(long post) => string.Create(CultureInfo.InvariantCulture, $"rx:{post}");

    public EmojiReactions? With(string emoji) => _all.FirstOrDefault(one => one.Emoji == emoji);

    public bool Has(string user, string emoji) => With(emoji) is { } reactions && reactions.Reactors.Any(reactor => reactor.User == user);

    public Reactions Add(string emoji, Reactor reactor, CommunityChanges changes, long post)
    {
        changes.Set(Table(post), "u" + reactor.User + emoji, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{reactor.Sequence} {reactor.Time:R}")));
        if (With(emoji) is { } known)
            return new(_all.Replace(known, known with { Reactors = known.Reactors.Add(reactor) }));
        changes.Set(Table(post), "e" + emoji, Encoding.ASCII.GetBytes(reactor.Sequence.ToString(CultureInfo.InvariantCulture)));
        return new(_all.Add(new(emoji, reactor.Sequence, [reactor])));
    }

    public Reactions Remove(string emoji, string user, CommunityChanges changes, long post)
    {
        var known = With(emoji)!;
        changes.Remove(Table(post), "u" + user + emoji);
        var left = known.Reactors.RemoveAll(reactor => reactor.User == user);
        if (!left.IsEmpty)
            return new(_all.Replace(known, known with { Reactors = left }));
        changes.Remove(Table(post), "e" + emoji);
        return new(_all.Remove(known));
    }

    public Reactions Clear(string emoji, CommunityChanges changes, long post)
    {
        var known = With(emoji)!;
        foreach (var reactor in known.Reactors)
            changes.Remove(Table(post), "u" + reactor.User + emoji);
        changes.Remove(Table(post), "e" + emoji);
        return new(_all.Remove(known));
    }

    public static Reactions Unpack(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> table)
    {
        Dictionary<string, (long First, List<Reactor> Reactors)> emojis = [];
        foreach (var (name, value) in table)
        {
            var text = Encoding.ASCII.GetString(value.Span);
            if (name[0] == 'e')
            {
                emojis[name[1..]] = (long.Parse(text, CultureInfo.InvariantCulture), emojis.TryGetValue(name[1..], out var known) ? known.Reactors : []);
                continue;
            }

            var (user, emoji) = (name[1..(1 + AccountId.HexLength)], name[(1 + AccountId.HexLength)..]);
            if (!emojis.TryGetValue(emoji, out var entry))
                emojis[emoji] = entry = (0, []);
            var space = text.IndexOf(' ', StringComparison.Ordinal);
            entry.Reactors.Add(new(
                user, long.Parse(text.AsSpan(0, space), CultureInfo.InvariantCulture), double.Parse(text.AsSpan(space + 1), CultureInfo.InvariantCulture)));
        }

        return emojis.Count == 0 ? None : new(
        [
            .. emojis.Where(entry => entry.Value.Reactors.Count > 0).OrderBy(entry => entry.Value.First)
                .Select(entry => new EmojiReactions(entry.Key, entry.Value.First, [.. entry.Value.Reactors.OrderBy(reactor => reactor.Sequence)])),
        ]);
    }
}
