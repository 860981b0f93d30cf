using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Names;

namespace Session.Orleans.Protocol.Tests.Names;

/// <summary>Names, hashes, value encryption, signatures and ids against the vectors (names.md).</summary>
public sealed class NameTests
{
    private static readonly JsonElement Names = Vectors.Load("names.json");
    private static readonly JsonElement Older = Vectors.Load("ons.json");

    [Fact]
    public void Session_ValidNames()
    {
        var session = Names.GetProperty("name_validity").GetProperty("session");
        foreach (var name in Texts(session.GetProperty("valid")).Concat(Texts(session.GetProperty("valid_after_lowercasing"))).Concat(Texts(Older.GetProperty("client_name_rule").GetProperty("valid"))))
        {
            Assert.True(NameRules.IsValid(NameType.Session, name), name);
            Assert.True(NameRules.IsValid(NameType.Wallet, name), name);
        }

        foreach (var name in Texts(session.GetProperty("invalid")).Concat(Texts(Older.GetProperty("client_name_rule").GetProperty("invalid"))).Append("a\n"))
            Assert.False(NameRules.IsValid(NameType.Session, name), name);
    }

    [Fact]
    public void Domain_ValidNames()
    {
        var domain = Names.GetProperty("name_validity").GetProperty("domain");
        Assert.Equal(NameRules.DefaultDomainSuffix, domain.GetProperty("suffix").GetString());
        Assert.All(Texts(domain.GetProperty("valid")), name => Assert.True(NameRules.IsValid(NameType.Domain, name), name));
        Assert.All(Texts(domain.GetProperty("invalid")), name => Assert.False(NameRules.IsValid(NameType.Domain, name), name));
        Assert.True(NameRules.IsValid(NameType.Domain, "alice.sispop", ".sispop"));
        Assert.False(NameRules.IsValid(NameType.Domain, "alice.loki", ".sispop"));
    }

    [Fact]
    public void Hash_IsThePublishedOne_AndReadInEveryForm()
    {
        var known = Names.GetProperty("known_answers").GetProperty("name_hashes").EnumerateArray()
            .Concat(Names.GetProperty("encryptions").EnumerateArray()).Concat(Older.GetProperty("vectors").EnumerateArray());
        foreach (var vector in known)
        {
            var hash = NameHash.Of(vector.GetProperty("name").GetString()!);
            var text = vector.GetProperty("name_hash_base64").GetString()!;
            Assert.Equal(text, hash.ToString());
            Assert.Equal(hash, NameHash.Of(vector.GetProperty("name").GetString()!.ToUpperInvariant()));
            foreach (var form in (string[])[text, text.TrimEnd('='), Convert.ToHexString(hash.ToArray()), Convert.ToHexStringLower(hash.ToArray())])
            {
                Assert.True(NameHash.TryParse(form, out var read), form);
                Assert.Equal(hash, read);
            }
        }

        Assert.False(NameHash.Of("").IsUsable);
        Assert.False(default(NameHash).IsUsable);
        Assert.True(NameHash.Of("a").IsUsable);
    }

    [Fact]
    public void Decryptions_ThatArePublished()
    {
        foreach (var vector in Names.GetProperty("known_answers").GetProperty("decryptions").EnumerateArray())
        {
            var (name, value) = (vector.GetProperty("name").GetString()!, vector.GetProperty("value").GetString()!);
            if (vector.GetProperty("type").GetInt32() == 0)
                AssertDecrypts(name, Stored(vector), value);
            else
                Assert.Equal(value, Convert.ToHexStringLower(NameCipher.Decrypt(name, Stored(vector))!));
        }
    }

    [Fact]
    public void Encryptions_OfBothGenerations()
    {
        foreach (var vector in Names.GetProperty("encryptions").EnumerateArray())
        {
            var name = vector.GetProperty("name").GetString()!;
            var value = vector.GetProperty("value").GetString()!;
            var stored = Bytes(vector, "stored");
            Assert.Equal(stored, Stored(vector));
            var key = new byte[32];
            if (vector.GetProperty("generation").GetString() is "legacy")
            {
                NameCipher.DeriveLegacyKey(name, key);
                Assert.Equal(NameCipher.LegacyLength, stored.Length);
            }
            else
            {
                NameCipher.DeriveKey(name, key);
                Assert.Equal(stored, NameCipher.Encrypt(name, Convert.FromHexString(value), Bytes(vector, "nonce")));
                Assert.Equal(value, Convert.ToHexStringLower(NameCipher.Decrypt(name, NameCipher.Encrypt(name.ToUpperInvariant(), Convert.FromHexString(value)))!));
            }

            Assert.Equal(vector.GetProperty("key").GetString(), Convert.ToHexStringLower(key));
            if (vector.GetProperty("type").GetInt32() == 0)
                AssertDecrypts(name, stored, value);
            else
                Assert.Equal(value, Convert.ToHexStringLower(NameCipher.Decrypt(name, stored)!));
        }

        foreach (var vector in Older.GetProperty("vectors").EnumerateArray())
        {
            var (name, id) = (vector.GetProperty("name").GetString()!, vector.GetProperty("session_id").GetString()!);
            AssertDecrypts(name, Stored(vector.GetProperty("blake2b").GetProperty("oxend_result")), id);
            AssertDecrypts(name, Stored(vector.GetProperty("argon2").GetProperty("oxend_result")), id);
        }
    }

    [Fact]
    public void Decryptions_ThatMustFail()
    {
        foreach (var vector in Names.GetProperty("decryption_failures").EnumerateArray())
        {
            // One of them is about a name that was not put into lower case; here that is never left out.
            if (vector.GetProperty("case").GetString() is "upper_case_not_normalised")
                continue;
            Assert.False(NameCipher.TryDecryptSession(vector.GetProperty("name").GetString()!, Stored(vector), out _), vector.GetProperty("case").GetString());
        }

        Assert.False(NameCipher.TryDecryptSession("a", [], out _));
        Assert.False(NameCipher.TryDecryptSession("a", NameCipher.Encrypt("a", new byte[33]), out _)); // no Session ID
        Assert.Null(NameCipher.Decrypt("a", new byte[39]));
    }

    [Fact]
    public void Updates_AreSignedOverTheseBytes()
    {
        var keys = new[] { "owner", "backup_owner", "new_owner" }.Select(name => Names.GetProperty("update_owners").Hex(name + "_seed")).Select(seed => new Ed25519KeyPair(seed))
            .ToDictionary(key => key.PublicKey.ToString());
        var owner = new NameOwner(Ed25519PublicKey.ParseHex(Names.GetProperty("update_owners").GetProperty("owner").GetString()));
        var backup = new NameOwner(Ed25519PublicKey.ParseHex(Names.GetProperty("update_owners").GetProperty("backup_owner").GetString()));
        foreach (var vector in Names.GetProperty("updates").EnumerateArray())
        {
            var name = vector.GetProperty("name").GetString()!;
            if (name is "transfer_to_wallet_owner")
                continue; // there are no wallets in a network without coins
            var change = new NameChange
            {
                Operation = NameOperation.Update,
                Type = 0,
                Name = NameHash.Of("alice"),
                Previous = new(Bytes(vector, "prev_txid")),
                Value = Bytes(vector, "encrypted_value"),
                Owner = Owner(vector, "owner_bytes"),
                BackupOwner = Owner(vector, "backup_owner_bytes"),
                Signature = Bytes(vector, "signature"),
            };
            Assert.Equal(vector.GetProperty("fields").GetInt32(), change.Fields);
            Assert.Equal(vector.GetProperty("hash").GetString(), Convert.ToHexStringLower(change.SignedHash()));
            Assert.True(vector.GetProperty("valid").GetBoolean() == (change.IsSignedBy(owner) || change.IsSignedBy(backup)), name);
            // Who may change it makes the same signature.
            if (vector.GetProperty("valid").GetBoolean())
                Assert.Equal(vector.Text("signature"), Convert.ToHexStringLower(change.SignWith(keys[vector.Text("signer_public")]).Signature.Span));
        }
    }

    [Fact]
    public void Purchases_HaveTheseSignaturesAndIds()
    {
        foreach (var vector in Names.GetProperty("registry").EnumerateArray())
        {
            var parameters = vector.GetProperty("params");
            Assert.True(NameHash.TryParse(parameters.GetProperty("name_hash").GetString(), out var hash));
            Assert.True(NameTypes.TryParse(parameters.GetProperty("type").GetString()!, out var type));
            var change = new NameChange
            {
                Operation = parameters.TryGetProperty("prev_txid", out var previous) ? NameOperation.Update : NameOperation.Buy,
                Type = type,
                Name = hash,
                Previous = previous.ValueKind is JsonValueKind.String ? new(Convert.FromHexString(previous.GetString()!)) : default,
                Value = Bytes(parameters, "encrypted_value"),
                Owner = Key(parameters, "owner"),
                BackupOwner = Key(parameters, "backup_owner"),
                Signature = Bytes(parameters, "signature"),
            };
            if (vector.TryGetProperty("hash", out var signed))
                Assert.Equal(signed.GetString(), Convert.ToHexStringLower(change.SignedHash()));
            if (vector.TryGetProperty("txid", out var id))
                Assert.Equal(id.GetString(), change.TransactionId(vector.GetProperty("height").GetInt64()).ToString());
            if (change.Owner is { } owner)
                Assert.Equal(!vector.TryGetProperty("expect_error", out _), change.IsSignedBy(owner));
        }
    }

    [Fact]
    public void SignWith_IsVerifiedByItsKeyOnly()
    {
        var (keys, other) = (Ed25519KeyPair.Generate(), Ed25519KeyPair.Generate());
        var change = new NameChange { Operation = NameOperation.Buy, Type = 0, Name = NameHash.Of("a"), Value = new byte[73], Owner = new(keys.PublicKey) }.SignWith(keys);
        Assert.True(change.IsSignedBy(new(keys.PublicKey)));
        Assert.False(change.IsSignedBy(new(other.PublicKey)));
        Assert.False((change with { Name = NameHash.Of("b") }).IsSignedBy(new(keys.PublicKey)));
        Assert.False((change with { Type = 2 }).IsSignedBy(new(keys.PublicKey)));
    }

    [Theory]
    [InlineData(0, NameType.Session, null, null)]
    [InlineData(1, NameType.Wallet, null, null)]
    [InlineData(2, NameType.Domain, 264_960L, 720L)]
    [InlineData(3, NameType.Domain, 529_920L, 1440L)]
    [InlineData(4, NameType.Domain, 1_324_800L, 3600L)]
    [InlineData(5, NameType.Domain, 2_649_600L, 2_649_600L)]
    public void Types_AndTheirDurations(int number, NameType type, long? blocks, long? shortened)
    {
        Assert.True(NameTypes.TryParse(number, out var read));
        Assert.Equal((type, blocks, shortened), (read, NameTypes.Duration(number, isTestNetwork: false), NameTypes.Duration(number, isTestNetwork: true)));
        Assert.False(NameTypes.TryParse(-1, out _));
        Assert.False(NameTypes.TryParse(6, out _));
        Assert.True(NameTypes.TryParse("LokiNet_10Years", out var ten));
        Assert.Equal(5, ten);
        Assert.False(NameTypes.TryParse("lokinet_3y", out _));
    }

    [Fact]
    public void Anything_IsParsedWithoutAnException() => Gen.String.Sample(text =>
    {
        _ = NameHash.TryParse(text, out _);
        _ = NameOwner.TryParse(text, out _);
        _ = NameTypes.TryParse(text, out int _);
        var valid = NameRules.IsValid(NameType.Session, text);
        _ = NameRules.IsValid(NameType.Domain, text);
        if (valid)
            Assert.InRange(text.Length, 1, NameRules.MaxLength);
    });

    [Fact]
    public void AnyStoredValue_IsDecryptedOrRefused() => Gen.Byte.Array[0, 120].Where(stored => stored.Length != NameCipher.LegacyLength).Sample(
        stored => Assert.False(NameCipher.TryDecryptSession("alice", stored, out _)), iter: 2000);

    private static void AssertDecrypts(string name, byte[] stored, string value)
    {
        Assert.True(NameCipher.TryDecryptSession(name, stored, out var account), name);
        Assert.Equal(value, account.ToString());
    }

    private static byte[] Stored(JsonElement vector) => [.. Bytes(vector, "encrypted_value"), .. Bytes(vector, "nonce")];

    private static byte[] Bytes(JsonElement element, string name) =>
        element.TryGetProperty(name, out var hex) ? Convert.FromHexString(hex.GetString()!) : [];

    private static NameOwner? Owner(JsonElement element, string name) =>
        Bytes(element, name) is [1, .. var key] ? new(new Ed25519PublicKey(key)) : null;

    private static NameOwner? Key(JsonElement element, string name) =>
        element.TryGetProperty(name, out var hex) ? new(Ed25519PublicKey.ParseHex(hex.GetString())) : null;

    private static IEnumerable<string> Texts(JsonElement list) => list.EnumerateArray().Select(text => text.GetString()!);
}
