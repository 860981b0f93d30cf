using System.Text;
using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Configs;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.Configs;

/// <summary>Config messages (messages.md, 13).</summary>
public sealed class ConfigTests
{
    private static readonly JsonElement File = Vectors.Load("messages.json");
    private static readonly JsonElement Config = File.GetProperty("config");
    private static readonly Ed25519KeyPair Alice = new(File.GetProperty("participants")[0].Hex("seed32"));

    private static byte[] Seed => Alice.SecretKey[..32].ToArray();

    [Fact]
    public void Versions_AreSerialisedAsRecorded()
    {
        Assert.Equal(Config.Text("emptyMessage"), Encoding.ASCII.GetString(ConfigMessage.Empty.Encoded.Span));
        Assert.Equal(Config.Text("emptyMessageHash"), ConfigMessage.Empty.Hash.ToString());

        var first = CreateFirst();
        Assert.Equal(Config.Hex("seqno1Plain"), first.Encoded.ToArray());
        Assert.Equal(Config.Text("seqno1Hash"), first.Hash.ToString());
        Assert.True(ConfigMessage.TryParse(first.Encoded.Span, out var parsed));
        Assert.Equal((first.Hash, 1L, "Kallie"), (parsed.Hash, parsed.Seqno, parsed.Data.GetText("n"u8)));
    }

    [Fact]
    public void Encryption_MatchesVectors()
    {
        var encrypted = ConfigEncryption.Encrypt("UserProfile", Seed, CreateFirst().Encoded.Span);
        Assert.Equal(Config.Hex("seqno1Encrypted"), encrypted);
        Assert.True(ConfigEncryption.TryDecrypt("UserProfile", Seed, encrypted, out var padded));
        Assert.Equal(Config.Hex("seqno1Padded"), padded);
        Assert.Equal(Config.Hex("seqno1Wrapped"), ConfigEncryption.Wrap(ConfigKind.UserProfile, Alice, 1, encrypted));
        Assert.Equal(Config.Hex("seqno0Wrapped"),
            ConfigEncryption.Wrap(ConfigKind.UserProfile, Alice, 0, ConfigEncryption.Encrypt("UserProfile", Seed, ConfigMessage.Empty.Encoded.Span)));

        var store = Config.GetProperty("store").GetProperty("params");
        Assert.Equal(Config.Hex("seqno1Wrapped"), store.Base64("data"));
        Assert.Equal(Config.Text("storageHash"), MessageHash.Compute(Alice.SessionId, 2, store.Base64("data")).ToString());
        var request = new StoreRequest
        {
            Account = Alice.SessionId,
            Namespace = 2,
            Timestamp = store.GetProperty("timestamp").GetInt64(),
            Expiry = store.GetProperty("timestamp").GetInt64() + store.GetProperty("ttl").GetInt64(),
            Data = store.Base64("data"),
        }.SignWith(Alice);
        Assert.Equal(store.Text("signature"), request.Authentication!.Signature.ToString());
    }

    [Fact]
    public void EncryptedSizes_MatchVectors()
    {
        foreach (var vector in Config.GetProperty("encryptedSizes").EnumerateArray())
            Assert.Equal(vector.GetProperty("encrypted").GetInt32(), ConfigEncryption.GetPaddedLength(vector.GetProperty("plain").GetInt32()) + 40);
    }

    [Fact]
    public void Stored_IsReadWrappedAndRaw()
    {
        foreach (var data in new[] { Config.Hex("seqno1Wrapped"), Config.Hex("seqno1Encrypted") })
        {
            Assert.True(ConfigEncryption.TryDecode(ConfigKind.UserProfile, Seed, data, Alice, out var plain, out var part));
            Assert.Null(part);
            Assert.Equal(Config.Hex("seqno1Plain"), plain);
        }
    }

    [Fact]
    public void Tampered_IsRefused()
    {
        foreach (var vector in Config.GetProperty("tampered").EnumerateArray())
            Assert.False(ConfigEncryption.TryDecode(ConfigKind.UserProfile, Seed, vector.Base64("data"), Alice, out _, out _), vector.Text("name"));
    }

    [Fact]
    public void LongConfig_IsCompressedOrSplit_AndComesBack()
    {
        var data = new ConfigDictionary();
        data.SetBytes("x"u8, new byte[60_000]);
        var compressible = ConfigMessage.Empty.Next(data);
        var small = Assert.Single(ConfigEncryption.Encode(ConfigKind.Contacts, Seed, compressible, Alice));
        Assert.InRange(small.Length, 200, 1000);
        Assert.True(ConfigEncryption.TryDecode(ConfigKind.Contacts, Seed, small, Alice, out var plain, out _));
        Assert.Equal(compressible.Encoded.ToArray(), plain);

        var random = new byte[200_000];
        new Random(1).NextBytes(random);
        data.SetBytes("x"u8, random);
        var large = compressible.Next(data);
        var parts = ConfigEncryption.Encode(ConfigKind.Contacts, Seed, large, Alice).Select(stored =>
        {
            Assert.InRange(stored.Length, 1, StorageLimits.MaxMessageBytes);
            Assert.True(ConfigEncryption.TryDecode(ConfigKind.Contacts, Seed, stored, Alice, out var whole, out var part));
            Assert.Null(whole);
            return part!;
        }).Reverse().ToArray();
        Assert.Equal(3, parts.Length);
        Assert.False(ConfigEncryption.TryJoin(parts[1..], out _));
        Assert.True(ConfigEncryption.TryJoin(parts, out plain));
        Assert.Equal(large.Encoded.ToArray(), plain);
    }

    [Fact]
    public void Merge_NewerVersion_Wins()
    {
        var first = CreateFirst();
        var data = first.Data.Copy();
        data.SetText("n"u8, "Kal");
        var second = first.Next(data);

        var result = ConfigMessage.Merge([second, first], out var merged);

        Assert.False(merged);
        Assert.Equal(second.Hash, result.Hash);
    }

    [Fact]
    public void Merge_VersionsMadeSideBySide_KeepsBothChangesOnBothDevices()
    {
        var first = CreateFirst();
        var (here, there) = (first.Data.Copy(), first.Data.Copy());
        here.SetText("n"u8, "Here");
        here.SetText("p"u8, "");
        there.GetOrAddDictionary("c"u8).GetOrAddDictionary("id"u8).SetNumber("a"u8, 1);
        ConfigMessage[] versions = [first.Next(here), first.Next(there)];

        var one = ConfigMessage.Merge(versions, out var merged);
        var other = ConfigMessage.Merge([.. versions.Reverse(), first], out _);

        Assert.True(merged);
        Assert.Equal((3L, one.Hash), (one.Seqno, other.Hash));
        Assert.Equal(("Here", 0, 1L), (one.Data.GetText("n"u8), one.Data.GetBytes("p"u8).Length, one.Data.GetDictionary("c"u8)!.GetDictionary("id"u8)!.GetNumber("a"u8)));
        // Whoever sees all three takes the merged one.
        Assert.Equal(one.Hash, ConfigMessage.Merge([.. versions, one], out merged).Hash);
        Assert.False(merged);
    }

    [Fact]
    public void History_HoldsFourVersions()
    {
        var version = ConfigMessage.Empty;
        for (var i = 1; i <= 9; i++)
        {
            var data = version.Data.Copy();
            data.SetNumber("+"u8, i);
            version = version.Next(data);
        }

        Assert.Equal([5, 6, 7, 8], version.History.Select(change => change.Seqno));
    }

    [Fact]
    public void Parse_Anything_FailsOnlyAsDocumented()
    {
        var valid = CreateFirst().Encoded.ToArray();
        Fuzzing.Around(valid, ConfigMessage.Empty.Encoded.ToArray()).Sample(bytes =>
            !ConfigMessage.TryParse(bytes, out var message) || message.Encoded.Span.SequenceEqual(bytes), iter: 20_000);
        Fuzzing.Around(Config.Hex("seqno1Wrapped"), Config.Hex("seqno1Encrypted")).Sample(bytes =>
        {
            _ = ConfigEncryption.TryDecode(ConfigKind.UserProfile, Seed, bytes, Alice, out _, out _);
            _ = ConfigPart.TryParse(bytes, out _);
        }, iter: 5_000);
        var compressed = Protocol.Messages.Zstd.Compress(new byte[3000]);
        Fuzzing.Around(compressed).Sample(bytes => { _ = Protocol.Messages.Zstd.TryDecompress(bytes, 10_000, out _); }, iter: 20_000);
        Assert.False(Protocol.Messages.Zstd.TryDecompress(compressed, 2999, out _));
    }

    private static ConfigMessage CreateFirst()
    {
        var data = new ConfigDictionary();
        data.SetText("n"u8, "Kallie");
        data.SetText("p"u8, "http://example.org/omg-pic-123.bmp");
        data.SetText("q"u8, "secret78901234567890123456789012");
        data.SetNumber("+"u8, 9);
        return ConfigMessage.Empty.Next(data);
    }
}
