using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Configs;

/// <summary>What an earlier version of a config changed.</summary>
/// <param name="Seqno">Its number.</param>
/// <param name="Hash">The hash of its message.</param>
/// <param name="Diff">Its changes.</param>
public sealed record ConfigChange(long Seqno, Bytes32 Hash, ConfigDictionary Diff);

/// <summary>
/// One version of a config (messages.md, 13.2): all data, what this version changed and what the four before it changed, so that versions
/// made at the same time on two devices can be merged. Immutable.
/// </summary>
public sealed class ConfigMessage
{
    /// <summary>How many earlier versions a message lists.</summary>
    public const int MaxHistory = 4;

    private const int MaxDepth = 16;

    private ConfigMessage(long seqno, ConfigDictionary data, ImmutableArray<ConfigChange> history, ConfigDictionary diff, byte[] encoded)
    {
        (Seqno, Data, History, Diff, Encoded) = (seqno, data, history, diff, encoded);
        Span<byte> hash = stackalloc byte[Bytes32.Length];
        Blake2b.Hash(encoded, hash);
        Hash = new(hash);
    }

    /// <summary>The version before the first: no data.</summary>
    public static ConfigMessage Empty { get; } = Create(0, [], [], [], signer: null);

    /// <summary>Number of the version; the highest wins.</summary>
    public long Seqno { get; }

    /// <summary>BLAKE2b-256 of <see cref="Encoded"/>.</summary>
    public Bytes32 Hash { get; }

    /// <summary>The message as it is encrypted, its signature included.</summary>
    public ReadOnlyMemory<byte> Encoded { get; }

    /// <summary>Everything that is set. Not to be changed: <see cref="Next"/> works on a copy.</summary>
    public ConfigDictionary Data { get; }

    /// <summary>The versions before this one, oldest first.</summary>
    public ImmutableArray<ConfigChange> History { get; }

    /// <summary>What this version changed.</summary>
    public ConfigDictionary Diff { get; }

    /// <summary>The version after this one.</summary>
    /// <param name="data">All data of it.</param>
    /// <param name="signer">The group's keys; null for the configs of a user, which are not signed.</param>
    public ConfigMessage Next(ConfigDictionary data, Ed25519KeyPair? signer = null)
    {
        var copy = data.Copy();
        Prune(copy);
        return Create(Seqno + 1, copy, [.. History.Add(new(Seqno, Hash, Diff)).TakeLast(MaxHistory)], CreateDiff(Data, copy), signer);
    }

    /// <summary>Reads a message. False for malformed ones and, if a key is given, for those not signed by it.</summary>
    /// <param name="bytes">The serialised message.</param>
    /// <param name="message">What was read.</param>
    /// <param name="signer">The group's key; null for the configs of a user.</param>
    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out ConfigMessage? message, Ed25519PublicKey? signer = null)
    {
        message = null;
        var reader = new BencodeReader(bytes, MaxDepth);
        var key = default(BencodeKey);
        if (!reader.TryReadDictionaryStart()
            || !TryReadKey(ref reader, ref key, "#"u8) || !reader.TryReadInteger(out long seqno) || seqno < 0
            || !TryReadKey(ref reader, ref key, "&"u8) || !ConfigValue.TryReadDictionary(ref reader, out var data)
            || !TryReadKey(ref reader, ref key, "<"u8) || !TryReadHistory(ref reader, out var history)
            || !TryReadKey(ref reader, ref key, "="u8) || !ConfigValue.TryReadDictionary(ref reader, out var diff))
            return false;
        var signed = reader.Position;
        ReadOnlySpan<byte> signature = default;
        if (reader.Peek() is BencodeToken.Bytes && !(TryReadKey(ref reader, ref key, "~"u8) && reader.TryReadBytes(out signature)))
            return false;
        if (!reader.TryReadEnd() || !reader.IsComplete)
            return false;
        if (signer is { } verifier && !Ed25519.Verify(verifier.AsSpan(), bytes[..signed], signature))
            return false;
        message = new(seqno, data, history, diff, bytes.ToArray());
        return true;
    }

    /// <summary>
    /// The one version that stands for all of these: the highest if it knows all others, else a new one made of them that has to be
    /// pushed. Highest means number, then hash.
    /// </summary>
    /// <param name="versions">At least one.</param>
    /// <param name="signer">The group's keys if a merged version of a group is made; without them the highest version stands.</param>
    /// <param name="merged">True if the result is new.</param>
    /// <param name="mustBeSigned">True for configs of groups.</param>
    public static ConfigMessage Merge(IReadOnlyCollection<ConfigMessage> versions, out bool merged, Ed25519KeyPair? signer = null, bool mustBeSigned = false)
    {
        merged = false;
        var known = versions.SelectMany(version => version.History.Select(change => change.Hash)).ToHashSet();
        var tips = versions.DistinctBy(version => version.Hash).Where(version => !known.Contains(version.Hash))
            .OrderBy(version => version.Seqno).ThenBy(version => version.Hash).ToArray();
        var highest = tips[^1];
        // A version four behind the highest is too old to have been made beside it.
        var concurrent = tips.Where(version => version.Seqno >= highest.Seqno - MaxHistory).ToArray();
        if (concurrent.Length == 1 || (mustBeSigned && signer is null))
            return highest;

        // A diff names what was set but not to which value: that is in the data of the version that brought it.
        var changes = concurrent
            .SelectMany(version => version.History.Add(new(version.Seqno, version.Hash, version.Diff)).Select(change => (Change: change, version.Data)))
            .DistinctBy(item => item.Change.Hash).OrderBy(item => item.Change.Seqno).ThenBy(item => item.Change.Hash).ToArray();
        var data = highest.Data.Copy();
        foreach (var (change, source) in changes)
            Apply(data, change.Diff, source);
        Prune(data);
        merged = true;
        return Create(highest.Seqno + 1, data, [.. changes.TakeLast(MaxHistory).Select(item => item.Change)], CreateDiff(highest.Data, data), signer);
    }

    private static ConfigMessage Create(long seqno, ConfigDictionary data, ImmutableArray<ConfigChange> history, ConfigDictionary diff, Ed25519KeyPair? signer)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var writer = new BencodeWriter(buffer);
        writer.WriteDictionaryStart();
        writer.WriteBytes("#"u8);
        writer.WriteInteger(seqno);
        writer.WriteBytes("&"u8);
        data.Write(writer);
        writer.WriteBytes("<"u8);
        writer.WriteListStart();
        foreach (var change in history)
        {
            writer.WriteListStart();
            writer.WriteInteger(change.Seqno);
            var hash = change.Hash;
            writer.WriteBytes(hash.AsSpan());
            change.Diff.Write(writer);
            writer.WriteEnd();
        }

        writer.WriteEnd();
        writer.WriteBytes("="u8);
        diff.Write(writer);
        if (signer is not null)
        {
            Span<byte> signature = stackalloc byte[Ed25519.SignatureLength];
            signer.Sign(buffer.WrittenSpan, signature);
            writer.WriteBytes("~"u8);
            writer.WriteBytes(signature);
        }

        writer.WriteEnd();
        return new(seqno, data, history, diff, buffer.WrittenSpan.ToArray());
    }

    /// <summary>Dictionaries and lists without content are left out, however deep.</summary>
    private static void Prune(ConfigDictionary data)
    {
        foreach (var (key, value) in data.ToArray())
        {
            if (value is ConfigDictionary inner)
                Prune(inner);
            if (value is ConfigDictionary { Count: 0 } or ConfigList { Items.Count: 0 })
                data[key] = null;
        }
    }

    /// <summary>Empty text: set; <c>-</c>: removed; dictionary: look inside; <c>[[added],[removed]]</c>: a set.</summary>
    private static ConfigDictionary CreateDiff(ConfigDictionary before, ConfigDictionary after)
    {
        var diff = new ConfigDictionary();
        foreach (var (key, value) in after)
        {
            var old = before[key];
            if (old is not null && old.IsSame(value))
                continue;
            diff[key] = (old, value) switch
            {
                (_, ConfigDictionary inner) => CreateDiff(old as ConfigDictionary ?? [], inner),
                (_, ConfigList set) => CreateSetDiff(old as ConfigList ?? new(), set),
                _ => new ConfigBytes([]),
            };
        }

        foreach (var (key, _) in before)
        {
            if (after[key] is null)
                diff[key] = new ConfigBytes("-"u8.ToArray());
        }

        return diff;
    }

    private static ConfigList CreateSetDiff(ConfigList before, ConfigList after)
    {
        var (added, removed) = (new ConfigList(), new ConfigList());
        foreach (var item in after.Items.Where(item => !before.Items.Any(item.IsSame)))
            added.Items.Add(item);
        foreach (var item in before.Items.Where(item => !after.Items.Any(item.IsSame)))
            removed.Items.Add(item);
        var diff = new ConfigList();
        diff.Items.Add(added);
        diff.Items.Add(removed);
        return diff;
    }

    /// <summary>Replays a diff with the values that <paramref name="source"/> has; what a later version took away again is not there.</summary>
    private static void Apply(ConfigDictionary data, ConfigDictionary diff, ConfigDictionary source)
    {
        foreach (var (key, change) in diff)
        {
            switch (change)
            {
                case ConfigBytes { Value.Length: 0 }:
                    if (source[key] is { } set)
                        data[key] = set.Clone();
                    break;
                case ConfigBytes:
                    data[key] = null;
                    break;
                case ConfigDictionary inner:
                    Apply(data.GetOrAddDictionary(key), inner, source.GetDictionary(key) ?? []);
                    break;
                case ConfigList { Items: [ConfigList added, ConfigList removed] }:
                    var list = data[key] as ConfigList ?? new();
                    data[key] = Join(list, added, removed);
                    break;
            }
        }
    }

    private static ConfigList Join(ConfigList list, ConfigList added, ConfigList removed)
    {
        var items = list.Items.Where(item => !removed.Items.Any(item.IsSame)).ToList();
        items.AddRange(added.Items.Where(item => !items.Any(item.IsSame)));
        var joined = new ConfigList();
        foreach (var item in items.OrderBy(item => item.Encode(), Comparer<byte[]>.Create((x, y) => x.AsSpan().SequenceCompareTo(y))))
            joined.Items.Add(item);
        return joined;
    }

    private static bool TryReadHistory(ref BencodeReader reader, out ImmutableArray<ConfigChange> history)
    {
        history = [];
        if (!reader.TryReadListStart())
            return false;
        var changes = ImmutableArray.CreateBuilder<ConfigChange>();
        while (reader.Peek() is BencodeToken.ListStart)
        {
            if (!reader.TryReadListStart() || !reader.TryReadInteger(out long seqno)
                || !reader.TryReadBytes(out ReadOnlySpan<byte> hash) || hash.Length != Bytes32.Length
                || !ConfigValue.TryReadDictionary(ref reader, out var diff) || !reader.TryReadEnd())
                return false;
            changes.Add(new(seqno, new(hash), diff));
        }

        history = changes.ToImmutable();
        return reader.TryReadEnd();
    }

    private static bool TryReadKey(ref BencodeReader reader, ref BencodeKey key, ReadOnlySpan<byte> name) =>
        reader.TryReadNextKey(ref key) && key.Value.SequenceEqual(name);
}
