using System.Text;
using Session.Orleans.Protocol.Configs;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Client;

/// <summary>One config as a device holds it: the current version, where it is stored, and what became superfluous. Not for concurrent use.</summary>
internal sealed class ConfigState(ConfigKind kind, Ed25519KeyPair? owner)
{
    private readonly List<ConfigPart> _parts = [];
    private HashSet<string> _stored = [];

    public ConfigKind Kind { get; } = kind;

    public ConfigMessage Current { get; private set; } = ConfigMessage.Empty;

    /// <summary>The data to read and, before <see cref="Commit"/>, to change.</summary>
    public ConfigDictionary Data { get; private set; } = [];

    /// <summary>Hashes of the current version: they must be kept alive.</summary>
    public IReadOnlyCollection<string> Stored => _stored;

    /// <summary>Hashes of versions that the current one has replaced.</summary>
    public HashSet<string> Obsolete { get; } = [];

    /// <summary>True if the current version is not in the swarm.</summary>
    public bool NeedsPush { get; private set; }

    /// <summary>A new version of what <see cref="Data"/> has become.</summary>
    public void Commit(Ed25519KeyPair? signer = null)
    {
        Current = Current.Next(Data, signer);
        Data = Current.Data.Copy();
        NeedsPush = true;
    }

    /// <summary>The same content is to be encrypted and pushed anew: the group's key changed.</summary>
    public void Repush() => NeedsPush = true;

    /// <summary>Takes stored messages in; true if something is new. What can't be read or is not signed is ignored.</summary>
    public bool Merge(IEnumerable<StoredEntry> entries, IReadOnlyCollection<Bytes32> keys, Ed25519PublicKey? signer, Ed25519KeyPair? admin)
    {
        var versions = new List<(ConfigMessage Message, string[] Hashes)>();
        foreach (var entry in entries)
        {
            foreach (var key in keys)
            {
                if (!ConfigEncryption.TryDecode(Kind, key.AsSpan(), entry.Data.Span, owner, out var plain, out var part))
                    continue;
                if (part is not null)
                {
                    _parts.Add(part);
                    if (!ConfigEncryption.TryJoin([.. _parts.Where(known => known.Whole == part.Whole)], out plain))
                        break;
                    _ = _parts.RemoveAll(known => known.Whole == part.Whole);
                }

                if (plain is not null && ConfigMessage.TryParse(plain, out var message, signer))
                    versions.Add((message, [entry.Hash]));
                break;
            }
        }

        if (versions.Count == 0)
            return false;
        var before = Current.Hash;
        var candidates = versions.Select(version => version.Message).ToList();
        if (Current.Seqno > 0)
            candidates.Add(Current);
        Current = ConfigMessage.Merge(candidates, out var merged, admin, mustBeSigned: signer is not null);
        Data = Current.Data.Copy();
        if (Current.Hash != before)
        {
            Obsolete.UnionWith(_stored);
            _stored = [];
            NeedsPush = merged;
        }

        foreach (var (message, hashes) in versions)
        {
            if (message.Hash == Current.Hash)
            {
                _stored.UnionWith(hashes);
                NeedsPush = false;
            }
            else
                Obsolete.UnionWith(hashes);
        }

        Obsolete.ExceptWith(_stored);
        return Current.Hash != before;
    }

    /// <summary>What has to be stored.</summary>
    public IReadOnlyList<byte[]> Encode(ReadOnlySpan<byte> key) => ConfigEncryption.Encode(Kind, key, Current, owner);

    /// <summary>The version with this hash is in the swarm, in these messages.</summary>
    public void Confirm(Bytes32 version, IReadOnlyCollection<string> hashes)
    {
        if (version != Current.Hash)
        {
            Obsolete.UnionWith(hashes);
            return;
        }

        Obsolete.UnionWith(_stored);
        _stored = [.. hashes];
        Obsolete.ExceptWith(_stored);
        NeedsPush = false;
    }

    public static MessageHashText[] ToTexts(IEnumerable<string> hashes) => [.. hashes.Select(hash => new MessageHashText(Encoding.ASCII.GetBytes(hash)))];
}
