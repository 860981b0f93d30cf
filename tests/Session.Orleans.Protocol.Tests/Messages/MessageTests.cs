using System.Text;
using System.Text.Json;
using CsCheck;
using Google.Protobuf;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Messages;
using Session.Orleans.Protocol.Messages.Wire;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.Messages;

/// <summary>Every layer of the one-to-one path against the recorded values (messages.md, 3 to 7 and 11).</summary>
public sealed class MessageTests
{
    private static readonly JsonElement File = Vectors.Load("messages.json");

    private static readonly Dictionary<string, Ed25519KeyPair> Participants = File.GetProperty("participants").EnumerateArray()
        .ToDictionary(participant => participant.Text("name"), participant => new Ed25519KeyPair(participant.Hex("seed32")));

    public static TheoryData<string> Names(string part) => [.. File.GetProperty(part).EnumerateArray().Select(vector => vector.Text("name"))];

    public static TheoryData<string> Messages => Names("messages");

    public static TheoryData<string> Rejected => Names("rejected");

    [Fact]
    public void Padding_MatchesVectors()
    {
        var padding = File.GetProperty("padding");
        foreach (var size in padding.GetProperty("sizes").EnumerateArray())
        {
            var content = new byte[size.GetProperty("length").GetInt32()];
            Assert.Equal(size.GetProperty("paddedLength160").GetInt32(), MessagePadding.Pad(content).Length);
            Assert.Equal(size.GetProperty("paddedLength159").GetInt32(), MessagePadding.Pad(content, PaddingStyle.Older).Length);
        }

        var example = padding.GetProperty("example");
        Assert.Equal(example.Hex("out160"), MessagePadding.Pad(example.Hex("in")));
        Assert.Equal(example.Hex("out159"), MessagePadding.Pad(example.Hex("in"), PaddingStyle.Older));
        foreach (var vector in padding.GetProperty("unpad").EnumerateArray())
        {
            var input = vector.Hex("in");
            var valid = MessagePadding.TryUnpad(input, out var length);
            if (vector.TryGetProperty("out", out var output) && output.ValueKind is JsonValueKind.String)
                Assert.Equal(output.GetString(), valid ? Convert.ToHexStringLower(input.AsSpan(0, length)) : null);
            else
                Assert.False(valid);
        }
    }

    [Fact]
    public void DeterministicSeal_MatchesVector()
    {
        var vector = File.GetProperty("deterministicSeal");
        var (from, to) = (Participants[vector.Text("from")], Participants[vector.Text("to")]);
        Assert.Equal(vector.Hex("ephemeralSecretKey"),
            SessionSeal.DeriveEphemeral(from, to.X25519.PublicKey, vector.Hex("message")).SecretKey.ToArray());
        Assert.Equal(vector.Hex("sealed"), SessionSeal.SealDeterministic(from, to.X25519.PublicKey, vector.Hex("message")));
    }

    [Theory, MemberData(nameof(Messages))]
    public void Message_IsMadeAndReadAsRecorded(string name)
    {
        var vector = Find("messages", name);
        var (from, to) = (Participants[vector.Text("from")], Participants[vector.Text("to")]);
        var timestamp = vector.GetProperty("timestamp").GetInt64();
        var content = vector.Hex("content");
        var isOlder = name is "text-older-style";

        Assert.Equal(vector.Hex("padded"), MessagePadding.Pad(content, isOlder ? PaddingStyle.Older : PaddingStyle.Current));
        var @sealed = SessionSeal.Seal(from, to.X25519.PublicKey, vector.Hex("padded"), new X25519KeyPair(vector.Hex("ephemeralSecretKey")));
        Assert.Equal(vector.Hex("sealed"), @sealed);
        Assert.True(SessionSeal.TryOpen(to.X25519, @sealed, out var opened, out _));
        Assert.Equal((vector.Text("padded"), from.PublicKey, from.SessionId), (Convert.ToHexStringLower(opened.Padded), opened.Sender, opened.SenderId));

        var data = vector.Base64("data");
        if (!isOlder)
        {
            Assert.Equal(vector.Text("storageHash"), MessageHash.Compute(to.SessionId, 0, data).ToString());
            var envelope = Envelope.Parser.ParseFrom(vector.Hex("envelope"));
            Assert.Equal(data, DirectMessage.Wrap(@sealed, timestamp, envelope.ProSignature.Span));
        }

        Assert.True(DirectMessage.TryDecode(to, data, out var message, out var failure), failure.ToString());
        Assert.Equal((from.SessionId, timestamp), (message.Sender, message.Timestamp));
        Assert.Equal(content, message.ContentBytes.ToArray());
        AssertDecoded(vector.GetProperty("decoded"), message.Content);
    }

    [Fact]
    public void DecryptOnly_IsRead()
    {
        foreach (var vector in File.GetProperty("decryptOnly").EnumerateArray())
        {
            Assert.True(DirectMessage.TryDecodeBase64(Participants[vector.Text("recipient")], vector.Text("data"), out var message, out var failure), failure.ToString());
            Assert.Equal((vector.Text("sender"), vector.GetProperty("timestamp").GetInt64()), (message.Sender.ToString(), message.Timestamp));
            Assert.Equal(vector.Text("content"), Convert.ToHexStringLower(message.ContentBytes.Span));
        }
    }

    [Theory, MemberData(nameof(Rejected))]
    public void Rejected_FailsAtItsStage(string name)
    {
        var vector = Find("rejected", name);
        Assert.False(DirectMessage.TryDecodeBase64(Participants[vector.Text("recipient")], vector.Text("data"), out _, out var failure));
        Assert.Equal(vector.Text("stage").Replace("-", "", StringComparison.Ordinal).Replace("sigtimestamp", "signaturetimestamp", StringComparison.Ordinal),
            failure.ToString().ToLowerInvariant());
    }

    [Fact]
    public void RequestSignatures_MatchVectors()
    {
        foreach (var vector in File.GetProperty("requestSignatures").GetProperty("cases").EnumerateArray())
        {
            var signed = vector.GetProperty("signedText").ValueKind is JsonValueKind.String
                ? Encoding.ASCII.GetBytes(vector.Text("signedText")) : vector.Hex("signedBytes");
            Assert.True(Cryptography.Ed25519.Verify(vector.Hex("pubkeyEd25519"), signed, vector.Base64("signature")), vector.Text("name"));
            if (CreateRequest(vector) is not { } request)
                continue;
            var text = new System.Buffers.ArrayBufferWriter<byte>();
            request.WriteSignedText(text);
            Assert.Equal(signed, text.WrittenSpan.ToArray());
        }
    }

    [Fact]
    public void Encode_AnyContent_ComesBackWithItsSender() =>
        Gen.Select(Gen.Byte.Array[0, 700], Gen.Long[1, 1L << 52]).Sample((body, timestamp) =>
        {
            var (from, to) = (Participants["alice"], Participants["bob"]);
            var content = new Content { DataMessage = new() { ProfileKey = ByteString.CopyFrom(body) }, SignatureTimestamp = (ulong)timestamp }.ToByteArray();
            var data = DirectMessage.Encode(from, to.SessionId, content, timestamp);
            return DirectMessage.TryDecode(to, data, out var message, out _) && message.Sender == from.SessionId && message.Timestamp == timestamp
                && message.ContentBytes.Span.SequenceEqual(content) && !DirectMessage.TryDecode(Participants["carol"], data, out _, out _);
        }, iter: 200);

    [Fact]
    public void Decode_Anything_FailsOnlyAsDocumented()
    {
        var valid = File.GetProperty("messages").EnumerateArray().Take(4).Select(vector => vector.Base64("data")).ToArray();
        Fuzzing.Around(valid).Sample(data =>
        {
            var ok = DirectMessage.TryDecode(Participants["bob"], data, out var message, out var failure);
            return ok == (failure is MessageFailure.None) && ok == message is not null;
        }, iter: 20_000);
    }

    [Fact]
    public void ReadContent_Anything_FailsOnlyAsDocumented()
    {
        var sender = Participants["alice"].SessionId;
        var valid = File.GetProperty("messages").EnumerateArray().Select(vector => vector.Hex("content")).ToArray();
        Fuzzing.Around(valid).Sample(content =>
        {
            var ok = DirectMessage.TryReadContent(content, sender, sender, 1700000000000, out _, out var failure);
            return ok == (failure is MessageFailure.None);
        }, iter: 20_000);
    }

    [Theory]
    [InlineData(33, 0u)]
    [InlineData(0, 1u)]
    public void Content_TooManyAttachmentsOrUnknownFlags_IsRefused(int attachments, uint flags)
    {
        var content = new Content { DataMessage = new() { Flags = flags } };
        content.DataMessage.Attachments.AddRange(Enumerable.Range(0, attachments).Select(_ => new AttachmentPointer { DeprecatedId = 1 }));
        var sender = Participants["alice"].SessionId;
        Assert.False(DirectMessage.TryReadContent(content.ToByteArray(), sender, sender, 1, out _, out var failure));
        Assert.Equal(MessageFailure.ContentParse, failure);
    }

    private static JsonElement Find(string part, string name) => File.GetProperty(part).EnumerateArray().Single(vector => vector.Text("name") == name);

    private static AccountRequest? CreateRequest(JsonElement vector)
    {
        var account = Participants["alice"].SessionId;
        var messages = vector.TryGetProperty("messages", out var hashes)
            ? hashes.EnumerateArray().Select(hash => new MessageHashText(Encoding.ASCII.GetBytes(hash.GetString()!))).ToArray() : [];
        const long Time = 1700000000123;
        return vector.Text("name") switch
        {
            "retrieve namespace 0" => new RetrieveRequest { Account = account, Timestamp = Time },
            "retrieve namespace 2" => new RetrieveRequest { Account = account, Timestamp = Time, Namespace = 2 },
            "retrieve namespace -11 (group admin)" => new RetrieveRequest { Account = account, Timestamp = Time, Namespace = -11 },
            "store namespace 3" => new StoreRequest { Account = account, Timestamp = Time, Expiry = Time, Data = default, Namespace = 3 },
            "delete" => new DeleteRequest { Account = account, Messages = [.. messages] },
            "delete_all every namespace" => new DeleteAllRequest { Account = account, Namespace = NamespaceSelector.All, Timestamp = Time },
            "expire plain" => new ExpireRequest { Account = account, Messages = [.. messages], Expiries = [Time] },
            "expire shorten" => new ExpireRequest { Account = account, Messages = [.. messages], Expiries = [Time], Shorten = true },
            "expire extend" => new ExpireRequest { Account = account, Messages = [.. messages], Expiries = [Time], Extend = true },
            "get_expiries" => new GetExpiriesRequest { Account = account, Messages = [.. messages], Timestamp = Time },
            _ => null,
        };
    }

    // The recorded names are those of the network's own definitions.
    private static void AssertDecoded(JsonElement expected, Content content)
    {
        if (expected.TryGetProperty("sigTimestamp", out var time))
            Assert.Equal(time.GetUInt64(), content.SignatureTimestamp);
        if (expected.TryGetProperty("expirationType", out var type))
            Assert.Equal((type.GetInt32(), expected.GetProperty("expirationTimer").GetUInt32()), ((int)content.ExpirationType, content.ExpirationTimer));
        if (expected.TryGetProperty("typingMessage", out var typing))
            Assert.Equal(typing.GetProperty("action").GetInt32(), (int)content.TypingMessage.Action);
        if (expected.TryGetProperty("receiptMessage", out var receipt))
            Assert.Equal(receipt.GetProperty("timestamp").EnumerateArray().Select(stamp => stamp.GetUInt64()), content.ReceiptMessage.Timestamp);
        if (expected.TryGetProperty("unsendRequest", out var unsend))
            Assert.Equal((unsend.GetProperty("timestamp").GetUInt64(), unsend.Text("author")), (content.UnsendRequest.Timestamp, content.UnsendRequest.Author));
        if (expected.TryGetProperty("messageRequestResponse", out var response))
            Assert.Equal((true, response.GetProperty("profile").Text("displayName")), (content.RequestResponse.IsApproved, content.RequestResponse.Profile.DisplayName));
        if (expected.TryGetProperty("dataExtractionNotification", out var extraction))
            Assert.Equal((extraction.GetProperty("type").GetInt32(), extraction.GetProperty("timestamp").GetUInt64()), ((int)content.DataExtraction.Type, content.DataExtraction.Timestamp));
        if (expected.TryGetProperty("callMessage", out var call))
            Assert.Equal((call.GetProperty("type").GetInt32(), call.Text("uuid")), ((int)content.CallMessage.Type, content.CallMessage.Uuid));
        if (expected.TryGetProperty("dataMessage", out var data))
            AssertData(data, content.DataMessage);
    }

    private static void AssertData(JsonElement expected, DataMessage data)
    {
        if (expected.TryGetProperty("body", out var body))
            Assert.Equal(body.GetString(), data.Body);
        if (expected.TryGetProperty("flags", out var flags))
            Assert.Equal(flags.GetUInt32(), data.Flags);
        if (expected.TryGetProperty("profileKey", out _))
            Assert.Equal(expected.Hex("profileKey"), data.ProfileKey.ToByteArray());
        if (expected.TryGetProperty("profile", out var profile))
        {
            Assert.Equal((profile.Text("displayName"), profile.Text("profilePicture"), profile.GetProperty("lastProfileUpdateSeconds").GetUInt64()),
                (data.Profile.DisplayName, data.Profile.ProfilePicture, data.Profile.LastUpdateSeconds));
        }

        if (expected.TryGetProperty("syncTarget", out var target))
            Assert.Equal(target.GetString(), data.SyncTarget);
        if (expected.TryGetProperty("quote", out var quote))
            Assert.Equal((quote.GetProperty("id").GetUInt64(), quote.Text("author")), (data.Quote.Id, data.Quote.Author));
        if (expected.TryGetProperty("reaction", out var reaction))
        {
            Assert.Equal((reaction.GetProperty("id").GetUInt64(), reaction.Text("author"), reaction.Text("emoji"), reaction.GetProperty("action").GetInt32()),
                (data.Reaction.Id, data.Reaction.Author, data.Reaction.Emoji, (int)data.Reaction.Action));
        }

        if (expected.TryGetProperty("attachments", out var attachments))
        {
            var pointer = Assert.Single(data.Attachments);
            var wanted = attachments[0];
            Assert.Equal((wanted.GetProperty("deprecated_id").GetUInt64(), wanted.Text("contentType"), wanted.GetProperty("size").GetUInt32(), wanted.Text("fileName"), wanted.Text("url")),
                (pointer.DeprecatedId, pointer.ContentType, pointer.Size, pointer.FileName, pointer.Url));
            Assert.Equal((wanted.Text("key"), wanted.Text("digest")),
                (Convert.ToHexStringLower(pointer.Key.Span), Convert.ToHexStringLower(pointer.Digest.Span)));
            Assert.Equal((40u, 25u), (pointer.Width, pointer.Height));
        }

        if (!expected.TryGetProperty("groupUpdateMessage", out var group))
            return;
        if (group.TryGetProperty("inviteMessage", out var invite))
        {
            Assert.Equal((invite.Text("groupSessionId"), invite.Text("name")), (data.GroupUpdate.Invite.GroupId, data.GroupUpdate.Invite.Name));
            Assert.Equal(invite.Hex("memberAuthData"), data.GroupUpdate.Invite.MemberAuthData.ToByteArray());
            Assert.Equal(invite.Hex("adminSignature"), data.GroupUpdate.Invite.AdminSignature.ToByteArray());
        }
        else
        {
            var promote = group.GetProperty("promoteMessage");
            Assert.Equal(promote.Text("name"), data.GroupUpdate.Promote.Name);
            Assert.Equal(promote.Hex("groupIdentitySeed"), data.GroupUpdate.Promote.GroupSeed.ToByteArray());
        }
    }
}
