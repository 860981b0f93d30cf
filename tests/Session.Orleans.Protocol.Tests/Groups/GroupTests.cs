using System.Text;
using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Configs;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Groups;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.Groups;

/// <summary>Groups (groups.md) against the recorded values.</summary>
public sealed class GroupTests
{
    private static readonly JsonElement File = Vectors.Load("messages.json").GetProperty("groups");
    private static readonly Ed25519KeyPair Group = new(File.GetProperty("group").Hex("seed"));
    private static readonly AccountId Id = new(AccountId.GroupPrefix, Group.PublicKey.Value);
    private static readonly AccountId[] Members = [.. File.GetProperty("members").EnumerateArray().Select(id => AccountId.Parse(id.GetString()))];

    private static readonly Ed25519KeyPair[] Participants = [.. Vectors.Load("messages.json").GetProperty("participants").EnumerateArray()
        .Select(participant => new Ed25519KeyPair(participant.Hex("seed32")))];

    private static GroupKey Key => new(0, 1700000050000, new(File.GetProperty("keys").Hex("key")));

    private static Ed25519KeyPair Alice => Participants[0];

    private static Ed25519KeyPair Bob => Participants[1];

    private static Ed25519KeyPair Carol => Participants[2];

    [Fact]
    public void Group_MatchesVector()
    {
        Assert.Equal(File.GetProperty("group").Text("id"), Id.ToString());
        Assert.Equal(File.GetProperty("group").Text("x25519PublicKey"), Group.X25519.PublicKey.ToString());
    }

    [Fact]
    public void AuthData_TokenAndSignature_MatchVectors()
    {
        foreach (var vector in File.GetProperty("subaccounts").EnumerateArray())
        {
            var member = new Ed25519KeyPair(vector.Hex("memberSeed32"));
            var data = GroupAuthData.Issue(Group, AccountId.Parse(vector.Text("memberSessionId")));
            Assert.Equal(vector.Hex("authData"), data.Bytes.ToArray());
            Assert.Equal(vector.Hex("token"), data.Credential.Token.AsSpan().ToArray());

            Assert.True(GroupAuthData.TryParse(vector.Hex("authData"), Id, member.SessionId, out var read));
            var request = vector.GetProperty("request");
            var signed = read.Sign(new RetrieveRequest { Account = Id, Namespace = 11, Timestamp = request.GetProperty("timestamp").GetInt64() }, member);
            var authentication = signed.Authentication!;
            Assert.Equal(
                (request.Text("signature"), request.Text("subaccount"), request.Text("subaccount_sig")),
                (authentication.Signature.ToString(), authentication.Subaccount!.Token.ToString(), authentication.Subaccount.Signature.ToString()));
            Assert.Null(authentication.Ed25519Key);
            Assert.Null(signed.Check(new ServerClock(request.GetProperty("timestamp").GetInt64(), HardFork.MultiExpiry)));
        }
    }

    [Fact]
    public void AuthData_ForAnotherMemberOrChanged_IsRefused()
    {
        var data = GroupAuthData.Issue(Group, Bob.SessionId).Bytes.ToArray();
        Assert.True(GroupAuthData.TryParse(data, Id, Bob.SessionId, out _));
        Assert.False(GroupAuthData.TryParse(data, Id, Carol.SessionId, out _));
        for (var i = 0; i < data.Length; i++)
        {
            data[i] ^= 4;
            Assert.False(GroupAuthData.TryParse(data, Id, Bob.SessionId, out _));
            data[i] ^= 4;
        }

        Assert.False(GroupAuthData.TryParse(File.GetProperty("tampered").EnumerateArray().Single(vector => vector.TryGetProperty("authData", out _)).Hex("authData"), Id, Bob.SessionId, out _));
    }

    [Fact]
    public void Signature_ByAnyMemberOfAnyGroup_Verifies() => Gen.Select(Gen.Byte.Array[32], Gen.Byte.Array[32], Gen.Byte.Array[0, 80]).Sample((group, member, text) =>
    {
        var keys = new Ed25519KeyPair(member);
        var data = GroupAuthData.Issue(new(group), keys.SessionId);
        var signature = new byte[64];
        data.Sign(keys, text, signature);
        var key = data.Credential.Token.Key;
        return Ed25519.Verify(key.AsSpan(), text, signature);
    }, iter: 300);

    [Fact]
    public void Keys_RecordedMessage_IsReadByAdminAndMembers()
    {
        var vector = File.GetProperty("keys");
        Assert.True(GroupKeysMessage.TryRead(vector.Hex("message"), Id, Alice.X25519, Group, 5, out var keys));
        Assert.Equal([new GroupKey(0, 5, Key.Key)], keys);
        foreach (var member in Participants)
        {
            Assert.True(GroupKeysMessage.TryRead(vector.Hex("message"), Id, member.X25519, null, 5, out keys));
            Assert.Equal([new GroupKey(0, 5, Key.Key)], keys);
        }

        Assert.True(GroupKeysMessage.TryRead(vector.Hex("message"), Id, X25519KeyPair.Generate(), null, 5, out keys));
        Assert.Empty(keys);
    }

    [Fact]
    public void Rekey_GivesRecordedKeyNonceAndEntries()
    {
        var vector = File.GetProperty("keys");
        var (message, key) = GroupKeysMessage.Rekey(Group, Members, 0);
        Assert.Equal(vector.Text("key"), key.ToString());
        Assert.Equal(vector.GetProperty("messageLength").GetInt32(), message.Length);
        // All but the junk and the signature over it: dictionary head, admin's entry and one of each member.
        var recorded = vector.Hex("message");
        var length = "d1:#24:".Length + 24 + "1:Gi0e1:K48:".Length + 48 + "1:kl".Length + (Members.Length * 51);
        Assert.Equal(recorded[..length], message[..length]);
        Assert.True(GroupKeysMessage.TryRead(message, Id, Bob.X25519, null, 1, out var keys));
        Assert.Equal(key, Assert.Single(keys).Key);
    }

    [Fact]
    public void Supplement_MatchesVector()
    {
        var vector = File.GetProperty("supplement");
        var message = GroupKeysMessage.Supplement(Group, [.. vector.GetProperty("for").EnumerateArray().Select(id => AccountId.Parse(id.GetString()))], [Key]);
        Assert.Equal(vector.Hex("message"), message);
        Assert.True(GroupKeysMessage.TryRead(message, Id, Carol.X25519, null, 9, out var keys));
        Assert.Equal([Key], keys);
        Assert.True(GroupKeysMessage.TryRead(message, Id, Bob.X25519, null, 9, out keys));
        Assert.Empty(keys);
    }

    [Fact]
    public void Info_MatchesVector()
    {
        var vector = File.GetProperty("info");
        var plain = vector.Hex("plainSigned");
        Assert.True(ConfigMessage.TryParse(plain, out var info, Group.PublicKey));
        Assert.Equal("Vector Group", info.Data.GetText("n"u8));
        Assert.False(ConfigMessage.TryParse(plain, out _, Alice.PublicKey));
        var key = Key.Key;
        Assert.Equal(vector.Hex("encrypted"), ConfigEncryption.Encrypt(ConfigKind.GroupInfo.Domain, key.AsSpan(), plain));
        Assert.True(ConfigEncryption.TryDecode(ConfigKind.GroupInfo, key.AsSpan(), vector.Hex("encrypted"), null, out var read, out _));
        Assert.Equal(plain, read);
    }

    [Fact]
    public void Info_MadeBySigner_VerifiesForMembers()
    {
        var data = new ConfigDictionary();
        data.SetText("n"u8, "Ours");
        var version = ConfigMessage.Empty.Next(data, Group);
        Assert.True(ConfigMessage.TryParse(version.Encoded.Span, out _, Group.PublicKey));
        Assert.False(ConfigMessage.TryParse(ConfigMessage.Empty.Next(data).Encoded.Span, out _, Group.PublicKey));
    }

    [Fact]
    public void Message_MatchesVector()
    {
        var vector = File.GetProperty("message");
        Assert.Equal(vector.Hex("ciphertext"), vector.Base64("data"));
        Assert.Equal(vector.Hex("ciphertext"), GroupMessage.Encrypt(Alice, Id, Key.Key, vector.Hex("envelope"), vector.Hex("nonce")));
        Assert.True(GroupMessage.TryDecode(vector.Hex("ciphertext"), Id, [new GroupKey(1, 0, default), Key], Bob.SessionId, out var message, out var failure), failure.ToString());
        Assert.Equal((Alice.SessionId, "hello group"), (message.Sender, message.Content.DataMessage.Body));
    }

    [Fact]
    public void Message_WithOlderSignature_IsReadOnlyOnDemand()
    {
        var data = File.GetProperty("message").Hex("ciphertextOlderSignature");
        Assert.False(GroupMessage.TryDecode(data, Id, [Key], Bob.SessionId, out _, out var failure));
        Assert.Equal(MessageFailure.Signature, failure);
        Assert.True(GroupMessage.TryDecode(data, Id, [Key], Bob.SessionId, out _, out _, acceptOlderSignature: true));
    }

    [Fact]
    public void Message_LongOne_IsCompressedAndComesBack()
    {
        var content = new Protocol.Messages.Wire.Content { DataMessage = new() { Body = new string('x', 5000) } };
        var data = GroupMessage.Encode(Bob, Id, Key.Key, Google.Protobuf.MessageExtensions.ToByteArray(content), 1700000050000);
        Assert.Equal((0, true), (data.Length % 256, data.Length < 1000));
        Assert.True(GroupMessage.TryDecode(data, Id, [Key], Alice.SessionId, out var message, out _));
        Assert.Equal((Bob.SessionId, 5000), (message.Sender, message.Content.DataMessage.Body.Length));
    }

    [Fact]
    public void KickedNotice_MatchesVector()
    {
        var vector = File.GetProperty("kicked");
        var notice = KickedNotice.Create(Group, [AccountId.Parse(vector.Text("for"))], vector.GetProperty("generation").GetInt64(), vector.Hex("nonce"));
        Assert.Equal(vector.Hex("message"), notice);
        Assert.Equal(vector.Base64("data"), notice);
        Assert.True(KickedNotice.TryRead(notice, Id, Bob.X25519, out var generation));
        Assert.Equal(0, generation);
        Assert.False(KickedNotice.TryRead(notice, Id, Carol.X25519, out _));
    }

    [Fact]
    public void AdminSignatures_MatchVectors()
    {
        const long Time = 1700000050002;
        var texts = new[]
        {
            GroupSignature.Invite(Bob.SessionId, Time), GroupSignature.InfoChange(1, Time), GroupSignature.MemberChange(2, Time),
            GroupSignature.DeleteContent(Time, [Bob.SessionId.ToString()], ["aGFzaDE"]),
        };
        var vectors = File.GetProperty("adminSignatures").EnumerateArray().ToArray();
        Assert.Equal(texts.Length, vectors.Length);
        foreach (var (vector, text) in vectors.Zip(texts))
        {
            Assert.Equal(vector.Text("text"), Encoding.ASCII.GetString(text));
            var signature = new byte[64];
            Group.Sign(text, signature);
            Assert.Equal(vector.Hex("signature"), signature);
        }
    }

    [Fact]
    public void Tampered_IsRefused()
    {
        foreach (var vector in File.GetProperty("tampered").EnumerateArray())
        {
            if (vector.TryGetProperty("ciphertext", out _))
                Assert.False(GroupMessage.TryDecode(vector.Hex("ciphertext"), Id, [Key], Bob.SessionId, out _, out _, acceptOlderSignature: true), vector.Text("name"));
            if (vector.TryGetProperty("message", out _))
                Assert.False(GroupKeysMessage.TryRead(vector.Hex("message"), Id, Bob.X25519, null, 0, out _), vector.Text("name"));
        }
    }

    [Fact]
    public void Parsers_Anything_FailOnlyAsDocumented()
    {
        var keys = File.GetProperty("keys").Hex("message");
        var supplement = File.GetProperty("supplement").Hex("message");
        var kicked = File.GetProperty("kicked").Hex("message");
        var auth = File.GetProperty("subaccounts")[0].Hex("authData");
        Fuzzing.Around(keys, supplement, kicked, auth).Sample(bytes =>
        {
            var known = bytes.AsSpan().SequenceEqual(keys) || bytes.AsSpan().SequenceEqual(supplement);
            _ = KickedNotice.TryRead(bytes, Id, Bob.X25519, out _);
            _ = GroupAuthData.TryParse(bytes, Id, Bob.SessionId, out _);
            return GroupKeysMessage.TryRead(bytes, Id, Carol.X25519, null, 0, out _) == known;
        }, iter: 5_000);

        // What the group's key encrypts comes from members, who may send anything.
        var inner = Encoding.ASCII.GetBytes($"d0:i1e1:a32:{new string('k', 32)}1:d5:hello1:s64:{new string('s', 64)}e");
        var key = Key.Key;
        Fuzzing.Around(inner).Sample(plain =>
        {
            byte[] data = [.. new byte[24], .. XChaCha20Poly1305.Encrypt(key.AsSpan(), new byte[24], plain)];
            return !GroupMessage.TryDecode(data, Id, [Key], Bob.SessionId, out _, out var failure) && failure is not (MessageFailure.None or MessageFailure.GroupKey);
        }, iter: 5_000);
    }
}
