using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Attachments;

namespace Session.Orleans.Protocol.Tests.Attachments;

public sealed class AttachmentTests
{
    private static readonly JsonElement File = Vectors.Load("attachments.json");

    [Fact]
    public void PaddedSizes_MatchVectors()
    {
        foreach (var vector in File.GetProperty("paddedSizes").EnumerateArray())
        {
            var padded = AttachmentEncryption.GetPaddedSize(vector.GetProperty("size").GetInt32());
            Assert.Equal(vector.GetProperty("padded").GetInt32(), padded);
            Assert.Equal(vector.GetProperty("encrypted").GetInt32(), 16 + (16 * ((padded / 16) + 1)) + 32);
        }
    }

    [Fact]
    public void Legacy_EncryptsAndDecryptsAsRecorded()
    {
        foreach (var vector in File.GetProperty("legacy").EnumerateArray())
        {
            var data = vector.Hex("data");
            var encrypted = AttachmentEncryption.Encrypt(data, vector.GetProperty("padded").GetBoolean(), vector.Hex("key"), vector.Hex("iv"));
            Assert.Equal(vector.Hex("encrypted"), encrypted.Upload);
            Assert.Equal(vector.Hex("digest"), encrypted.Digest);
            Assert.True(AttachmentEncryption.TryDecrypt(encrypted.Upload, encrypted.Key, encrypted.Digest, data.Length, out var file, out _));
            Assert.Equal(data, file);
        }
    }

    [Fact]
    public void LegacyRejected_FailsAsRecorded()
    {
        foreach (var vector in File.GetProperty("legacyRejected").EnumerateArray())
        {
            Assert.False(AttachmentEncryption.TryDecrypt(
                vector.Hex("encrypted"), vector.Hex("key"), vector.Hex("digest"), vector.GetProperty("size").GetInt64(), out _, out var failure));
            Assert.Equal(vector.Text("error").Replace("-", "", StringComparison.Ordinal), failure.ToString().ToLowerInvariant());
        }
    }

    [Fact]
    public void StreamSizes_MatchVectors()
    {
        foreach (var vector in File.GetProperty("streamSizes").EnumerateArray())
        {
            var size = vector.GetProperty("size").GetInt32();
            Assert.Equal(vector.GetProperty("encrypted").GetInt32(), DeterministicEncryption.GetUploadSize(size));
            Assert.Equal(vector.GetProperty("padding").GetInt32(), DeterministicEncryption.GetPadding(size));
        }
    }

    [Fact]
    public void Stream_EncryptsAndDecryptsAsRecorded()
    {
        foreach (var vector in File.GetProperty("stream").EnumerateArray())
        {
            var data = Create(vector.Text("dataLabel"), vector.GetProperty("size").GetInt32());
            Assert.Equal(vector.Text("dataSha256"), Convert.ToHexStringLower(SHA256.HashData(data)));
            var kind = vector.Text("personal") is "Session_Prof_Pic" ? DeterministicFileKind.Picture : DeterministicFileKind.Attachment;
            var (upload, key) = DeterministicEncryption.Encrypt(data, vector.Hex("seed32"), kind);
            Assert.Equal(vector.Hex("key"), key);
            Assert.Equal(vector.Hex("header"), upload[1..25]);
            Assert.Equal((vector.GetProperty("encryptedSize").GetInt32(), vector.Text("encryptedSha256")), (upload.Length, Convert.ToHexStringLower(SHA256.HashData(upload))));
            Assert.True(DeterministicEncryption.TryDecrypt(upload, key, out var file, out _));
            Assert.Equal(data, file);
        }
    }

    [Fact]
    public void StreamFull_MatchesAndItsChangesAreRefused()
    {
        var vector = File.GetProperty("streamFull");
        var (upload, key) = DeterministicEncryption.Encrypt(vector.Hex("data"), vector.Hex("seed32"));
        Assert.Equal(vector.Base64("encrypted"), upload);
        Assert.Equal(vector.Hex("key"), key);
        (byte[] Upload, byte[] Key, AttachmentFailure Failure)[] changes =
        [
            (Change(upload, 0, 0x53 ^ 0x54), key, AttachmentFailure.Scheme),
            (Change(upload, 5, 1), key, AttachmentFailure.Mac),
            (Change(upload, 2000, 1), key, AttachmentFailure.Mac),
            (upload[..^1], key, AttachmentFailure.Mac),
            (upload, Convert.FromHexString("a5df283d79bfb6b1996e3fec4c1f69313c234023693bada4ea2e1fb812b85592"), AttachmentFailure.Mac),
        ];
        Assert.Equal(vector.GetProperty("rejected").GetArrayLength(), changes.Length);
        foreach (var change in changes)
        {
            Assert.False(DeterministicEncryption.TryDecrypt(change.Upload, change.Key, out _, out var failure));
            Assert.Equal(change.Failure, failure);
        }
    }

    [Fact]
    public void Picture_MatchesVectors()
    {
        var vector = File.GetProperty("avatarGcm");
        Assert.Equal(vector.Hex("encrypted"), PictureEncryption.Encrypt(vector.Hex("data"), vector.Hex("key"), vector.Hex("iv")));
        Assert.True(PictureEncryption.TryDecrypt(vector.Hex("encrypted"), vector.Hex("key"), out var picture, out _));
        Assert.Equal(vector.Hex("data"), picture);
        foreach (var rejected in vector.GetProperty("rejected").EnumerateArray())
            Assert.False(PictureEncryption.TryDecrypt(rejected.Hex("encrypted"), vector.Hex("key"), out _, out _), rejected.Text("why"));
    }

    [Fact]
    public void Urls_MatchVectors()
    {
        foreach (var vector in File.GetProperty("urls").EnumerateArray())
        {
            Assert.True(FileUrl.TryParse(vector.Text("url"), out var url));
            Assert.Equal(
                (vector.Text("id"), vector.GetProperty("deprecatedId").GetUInt64(), vector.GetProperty("deterministic").GetBoolean(), vector.GetProperty("serverKey").GetString()),
                (url.Id, url.DeprecatedId, url.IsDeterministic, url.ServerKey?.ToString()));
            Assert.Equal(vector.Text("url").TrimEnd('='), url.ToString().TrimEnd('='));
        }
    }

    [Fact]
    public void AnyFile_OfBothEncryptions_ComesBack() => Gen.Select(Gen.Byte.Array[0, 5000], Gen.Byte.Array[32]).Sample((file, seed) =>
    {
        var legacy = AttachmentEncryption.Encrypt(file);
        var (upload, key) = DeterministicEncryption.Encrypt(file, seed);
        return AttachmentEncryption.TryDecrypt(legacy.Upload, legacy.Key, legacy.Digest, legacy.Size, out var first, out _) && first.AsSpan().SequenceEqual(file)
            && DeterministicEncryption.TryDecrypt(upload, key, out var second, out _) && second.AsSpan().SequenceEqual(file);
    }, iter: 300);

    [Fact]
    public void Decrypt_Anything_FailsOnlyAsDocumented()
    {
        var legacy = AttachmentEncryption.Encrypt("hello"u8);
        var (upload, key) = DeterministicEncryption.Encrypt("hello"u8, new byte[32]);
        Fuzzing.Around(legacy.Upload, upload).Sample(data =>
        {
            _ = AttachmentEncryption.TryDecrypt(data, legacy.Key, SHA256.HashData(data), 5, out _, out var first);
            _ = DeterministicEncryption.TryDecrypt(data, key, out _, out var second);
            _ = PictureEncryption.TryDecrypt(data, key, out _, out var third);
            return (first is AttachmentFailure.None) == data.AsSpan().SequenceEqual(legacy.Upload)
                && (second is AttachmentFailure.None) == data.AsSpan().SequenceEqual(upload) && third is not AttachmentFailure.None;
        }, iter: 5_000);
        Gen.String.Sample(text => { _ = FileUrl.TryParse("http://a/file/" + text, out _) | FileUrl.TryParse(text, out _); });
    }

    private static byte[] Change(byte[] bytes, int at, byte bits)
    {
        var changed = (byte[])bytes.Clone();
        changed[at] ^= bits;
        return changed;
    }

    // As the vectors' note says: hashes of counted labels, joined and cut.
    private static byte[] Create(string label, int size) => [.. Enumerable.Range(0, (size + 31) / 32)
        .SelectMany(i => SHA256.HashData(Encoding.UTF8.GetBytes($"sispop-vectors/{i}/{label}"))).Take(size)];
}
