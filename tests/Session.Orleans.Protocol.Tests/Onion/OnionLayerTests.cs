using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Protocol.Tests.Onion;

public sealed class OnionLayerTests
{
    private static readonly JsonElement File = Vectors.Load("onion_layers.json");
    private static readonly X25519KeyPair Node = new(Enumerable.Repeat((byte)7, 32).ToArray());
    private static readonly X25519KeyPair Client = new(Enumerable.Repeat((byte)9, 32).ToArray());

    public static TheoryData<OnionCipher> Ciphers => [.. Enum.GetValues<OnionCipher>()];

    [Fact]
    public void Layer_Vectors_EncryptAndDecryptOnBothSides()
    {
        var vectors = File.GetProperty("vectors").EnumerateArray().ToList();
        Assert.Equal(12, vectors.Count);
        var corrupted = 0;
        foreach (var vector in vectors)
        {
            var cipher = Parse(vector.Text("enc_type"));
            var client = new X25519KeyPair(vector.Hex("client_seckey"));
            var server = new X25519KeyPair(vector.Hex("server_seckey"));
            Assert.Equal(vector.Text("client_pubkey"), client.PublicKey.ToString());
            Assert.Equal(vector.Text("server_pubkey"), server.PublicKey.ToString());
            var shared = new byte[32];
            Assert.True(X25519.TryAgree(client.SecretKey, server.PublicKey.AsSpan(), shared));
            Assert.Equal(vector.Hex("shared_secret"), shared);

            Assert.True(OnionLayerKey.TryDeriveForClient(client, server.PublicKey, cipher, out var clientKey));
            Assert.True(OnionLayerKey.TryDeriveForNode(server, client.PublicKey, cipher, out var nodeKey));
            Assert.Equal(vector.Text("key"), clientKey.Secret.ToString());
            Assert.Equal(vector.Text("key"), nodeKey.Secret.ToString());
            Assert.Equal(cipher, nodeKey.Cipher);

            foreach (var prefix in new[] { "", "reply_" })
            {
                var plaintext = vector.Base64(prefix + "plaintext_base64");
                var expected = vector.Base64(prefix + "ciphertext_base64");
                var ciphertext = new byte[clientKey.GetCiphertextLength(plaintext.Length)];
                (prefix.Length == 0 ? clientKey : nodeKey).Encrypt(plaintext, ciphertext, vector.Hex(prefix + "nonce"));
                Assert.Equal(expected, ciphertext);
                Assert.Equal(plaintext, Decrypt(prefix.Length == 0 ? nodeKey : clientKey, expected));
            }

            Assert.True(OnionLayer.TryOpen(server, client.PublicKey, cipher, vector.Base64("ciphertext_base64"), out var opened, out var key));
            Assert.Equal(vector.Base64("plaintext_base64"), opened.ToArray());
            Assert.Equal(nodeKey.Secret, key.Secret);
            Assert.True(OnionLayer.TryOpenInPlace(server, client.PublicKey, cipher, vector.Base64("ciphertext_base64"), out opened, out key));
            Assert.Equal(vector.Base64("plaintext_base64"), opened.ToArray());
            Assert.Equal(nodeKey.Secret, key.Secret);
            if (!vector.TryGetProperty("corrupted_base64", out _))
                continue;
            corrupted++;
            Assert.False(OnionLayer.TryOpenInPlace(server, client.PublicKey, cipher, vector.Base64("corrupted_base64"), out opened, out _));
            Assert.True(opened.IsEmpty);
            Assert.False(OnionLayer.TryOpen(server, client.PublicKey, cipher, vector.Base64("corrupted_base64"), out opened, out _));
            Assert.True(opened.IsEmpty);
        }

        // CBC has no tag, so its layers have no corrupted form that must fail.
        Assert.Equal(8, corrupted);
    }

    [Fact]
    public void TryDerive_XChaCha20_PutsTheClientsKeyFirst()
    {
        var vector = File.GetProperty("vectors").EnumerateArray().First(v => v.Text("enc_type") == "xchacha20");
        // Swapping the roles swaps the order of the keys in the hash.
        Assert.True(OnionLayerKey.TryDeriveForNode(
            new(vector.Hex("client_seckey")), X25519PublicKey.ParseHex(vector.Text("server_pubkey")), OnionCipher.XChaCha20, out var wrong));
        Assert.Equal(File.Text("xchacha20_wrong_order_key"), wrong.Secret.ToString());
        Assert.NotEqual(vector.Text("key"), wrong.Secret.ToString());
    }

    [Fact]
    public void CipherNames_AndAliases_AreParsed()
    {
        Assert.Equal(OnionCiphers.Name(default), File.Text("default"));
        var names = File.GetProperty("aliases").EnumerateObject().ToList();
        Assert.Equal(3, names.Count);
        foreach (var name in names)
        {
            var cipher = Parse(name.Name);
            Assert.Equal(name.Name, OnionCiphers.Name(cipher));
            Assert.All(name.Value.EnumerateArray(), alias => Assert.Equal(cipher, Parse(alias.GetString()!)));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("AES-GCM")]
    [InlineData("aes-gcm ")]
    [InlineData("xchacha20poly1305")]
    [InlineData("rot13")]
    public void CipherNames_Others_AreRefused(string name) =>
        Assert.False(OnionCiphers.TryParse(System.Text.Encoding.UTF8.GetBytes(name), out _));

    [Theory]
    [InlineData(OnionCipher.AesGcm, 100, 128)]
    [InlineData(OnionCipher.XChaCha20, 100, 140)]
    [InlineData(OnionCipher.AesCbc, 95, 112)]
    [InlineData(OnionCipher.AesCbc, 96, 128)]
    [InlineData(OnionCipher.AesCbc, 0, 32)]
    public void CiphertextLength_HasTheOverheadOfTheCipher(OnionCipher cipher, int plaintext, int ciphertext)
    {
        Assert.Equal(ciphertext, OnionCiphers.GetCiphertextLength(cipher, plaintext));
        Assert.InRange(plaintext, OnionCiphers.GetMaxPlaintextLength(cipher, ciphertext) - 15, OnionCiphers.GetMaxPlaintextLength(cipher, ciphertext));
    }

    [Theory]
    [MemberData(nameof(Ciphers))]
    public void Encrypt_AnyPlaintext_RoundTripsWithAFreshNonce(OnionCipher cipher) =>
        Gen.Byte.Array[0, 200].Sample(
            plaintext =>
            {
                Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, cipher, out var key));
                var first = new byte[key.GetCiphertextLength(plaintext.Length)];
                var second = new byte[first.Length];
                key.Encrypt(plaintext, first);
                key.Encrypt(plaintext, second);
                Assert.NotEqual(first, second);
                Assert.True(OnionLayer.TryOpen(Node, Client.PublicKey, cipher, first, out var opened, out _));
                Assert.Equal(plaintext, opened.ToArray());
            },
            iter: 1000);

    /// <summary>Every length around the ciphers' blocks and the pieces in which they are worked on.</summary>
    [Theory]
    [MemberData(nameof(Ciphers))]
    public void TryOpenInPlace_AnyLength_IsWhatTryOpenFinds(OnionCipher cipher)
    {
        Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, cipher, out var key));
        var random = new Random(1);
        for (var length = 0; length < 1200; length++)
        {
            var plaintext = new byte[length];
            random.NextBytes(plaintext);
            // Inside a larger buffer, at any offset, as each layer lies in the one around it.
            var (before, after) = (random.Next(20), random.Next(20));
            var buffer = new byte[before + key.GetCiphertextLength(length) + after];
            random.NextBytes(buffer);
            var around = buffer.AsSpan().ToArray();
            var layer = buffer.AsMemory(before, buffer.Length - before - after);
            key.Encrypt(plaintext, layer.Span);

            Assert.True(OnionLayer.TryOpenInPlace(Node, Client.PublicKey, cipher, layer, out var opened, out var found));
            Assert.Equal(plaintext, opened.ToArray());
            Assert.Equal(key.Secret, found.Secret);
            Assert.Equal(around[..before], buffer[..before]);
            Assert.Equal(around[^after..], buffer[^after..]);

            if (cipher == OnionCipher.AesCbc)
                continue; // no tag
            key.Encrypt(plaintext, layer.Span);
            layer.Span[random.Next(layer.Length)] ^= 1;
            Assert.False(OnionLayer.TryOpenInPlace(Node, Client.PublicKey, cipher, layer, out opened, out _));
            Assert.True(opened.IsEmpty);
            Assert.Equal(around[^after..], buffer[^after..]);
        }
    }

    [Theory]
    [MemberData(nameof(Ciphers))]
    public void EncryptInPlace_AnyLength_IsWhatEncryptMakes(OnionCipher cipher)
    {
        Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, cipher, out var key));
        var random = new Random(2);
        var nonce = new byte[OnionCiphers.GetNonceLength(cipher)];
        for (var length = 0; length < 1200; length++)
        {
            var plaintext = new byte[length];
            random.NextBytes(plaintext);
            random.NextBytes(nonce);
            var expected = new byte[key.GetCiphertextLength(length)];
            key.Encrypt(plaintext, expected, nonce);

            var (before, after) = (random.Next(20), random.Next(20));
            var buffer = new byte[before + expected.Length + after];
            random.NextBytes(buffer);
            var around = buffer.AsSpan().ToArray();
            plaintext.CopyTo(buffer, before + nonce.Length);
            key.EncryptInPlace(buffer.AsSpan(before, expected.Length), length, nonce);
            Assert.Equal([.. around[..before], .. expected, .. around[^after..]], buffer);
        }
    }

    [Theory]
    [InlineData(OnionCipher.AesGcm)]
    [InlineData(OnionCipher.XChaCha20)]
    public void TryOpen_AnyBitFlipped_IsRefused(OnionCipher cipher)
    {
        Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, cipher, out var key));
        var layer = new byte[key.GetCiphertextLength(20)];
        key.Encrypt(new byte[20], layer);
        for (var bit = 0; bit < layer.Length * 8; bit++)
        {
            layer[bit / 8] ^= (byte)(1 << bit % 8);
            Assert.False(OnionLayer.TryOpen(Node, Client.PublicKey, cipher, layer, out _, out _));
            layer[bit / 8] ^= (byte)(1 << bit % 8);
        }

        Assert.True(OnionLayer.TryOpen(Node, Client.PublicKey, cipher, layer, out _, out _));
    }

    [Theory]
    [MemberData(nameof(Ciphers))]
    public void TryOpen_AnyBytes_NeverThrows(OnionCipher cipher) =>
        Gen.Byte.Array[0, 100].Sample(
            bytes =>
            {
                var ok = OnionLayer.TryOpen(Node, Client.PublicKey, cipher, bytes, out var opened, out _);
                // Only CBC has no tag; by chance its padding fits now and then.
                Assert.True(!ok || cipher == OnionCipher.AesCbc);
                Assert.True(ok || opened.IsEmpty);
            },
            iter: 2000);

    [Theory]
    [MemberData(nameof(Ciphers))]
    public void TryOpen_EveryCutOfALayer_IsRefused(OnionCipher cipher)
    {
        Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, cipher, out var key));
        var layer = new byte[key.GetCiphertextLength(40)];
        key.Encrypt(new byte[40], layer);
        for (var length = 0; length < layer.Length; length++)
        {
            if (cipher != OnionCipher.AesCbc || length % 16 != 0 || length < 32)
                Assert.False(OnionLayer.TryOpen(Node, Client.PublicKey, cipher, layer.AsSpan(0, length), out _, out _));
        }
    }

    [Theory]
    [MemberData(nameof(Ciphers))]
    public void TryOpen_EphemeralKeyOfSmallOrder_IsRefused(OnionCipher cipher)
    {
        foreach (var first in new byte[] { 0, 1 })
        {
            var bytes = new byte[32];
            bytes[0] = first;
            Assert.False(OnionLayer.TryOpen(Node, new X25519PublicKey(bytes), cipher, new byte[64], out _, out _));
            Assert.False(OnionLayerKey.TryDeriveForClient(Client, new X25519PublicKey(bytes), cipher, out _));
        }
    }

    [Fact]
    public void PortableGcm_AnyPlaintext_EqualsTheFastOne() =>
        Gen.Byte.Array[0, 100].Sample(
            plaintext =>
            {
                Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, OnionCipher.AesGcm, out var key));
                var nonce = new byte[12];
                var expected = new byte[key.GetCiphertextLength(plaintext.Length)];
                key.Encrypt(plaintext, expected, nonce);
                var actual = new byte[plaintext.Length + 16];
                key.EncryptGcmPortable(plaintext, nonce, actual);
                Assert.Equal(expected[12..], actual);
                var opened = new byte[plaintext.Length];
                Assert.True(key.TryDecryptGcmPortable(actual, nonce, opened));
                Assert.Equal(plaintext, opened);
                actual[^1] ^= 1;
                Assert.False(key.TryDecryptGcmPortable(actual, nonce, opened));
            },
            iter: 500);

    [Theory]
    [InlineData(OnionCipher.AesGcm)]
    [InlineData(OnionCipher.XChaCha20)]
    public void Layer_OnTheHotPath_AllocatesThePlaintextAndTheInstructionOnly(OnionCipher cipher)
    {
        const int BlobLength = 5000;
        var plaintext = Fuzzing.Payload(
            $$"""{"destination":"{{Node.PublicKey}}","ephemeral_key":"{{Client.PublicKey}}","enc_type":"aes-gcm","x":[1]}""", BlobLength);
        Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, cipher, out var key));
        var layer = new byte[key.GetCiphertextLength(plaintext.Length)];
        key.Encrypt(plaintext, layer);
        for (var i = 0; i < 200; i++)
            Assert.True(Open(layer));

        var before = GC.GetAllocatedBytesForCurrentThread();
        var ok = Open(layer);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(ok);
        Assert.InRange(allocated, plaintext.Length, plaintext.Length + 200);

        bool Open(byte[] bytes) => OnionLayer.TryOpen(Node, Client.PublicKey, cipher, bytes, out var opened, out _)
            && OnionInstruction.TryParse(opened, out _);
    }

    [Theory]
    [InlineData(OnionCipher.AesGcm)]
    [InlineData(OnionCipher.XChaCha20)]
    public void Layer_OpenedInPlace_AllocatesTheInstructionOnly(OnionCipher cipher)
    {
        var plaintext = Fuzzing.Payload(
            $$"""{"destination":"{{Node.PublicKey}}","ephemeral_key":"{{Client.PublicKey}}","enc_type":"aes-gcm"}""", 5000);
        Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, cipher, out var key));
        var layer = new byte[key.GetCiphertextLength(plaintext.Length)];
        key.Encrypt(plaintext, layer);
        var bytes = new byte[layer.Length];
        var allocated = long.MaxValue;
        for (var i = 0; i < 200; i++)
        {
            layer.CopyTo(bytes, 0);
            var before = GC.GetAllocatedBytesForCurrentThread();
            var ok = OnionLayer.TryOpenInPlace(Node, Client.PublicKey, cipher, bytes, out var opened, out _) && OnionInstruction.TryParse(opened, out _);
            allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.True(ok);
        }

        Assert.InRange(allocated, 0, 400); // the instruction, and .NET's cipher on processors that libsodium has no AES for
    }

    [Fact]
    public void DefaultKey_Used_Throws()
    {
        OnionLayerKey key = default;
        Assert.Throws<InvalidOperationException>(() => key.Encrypt([], new byte[28]));
        Assert.Throws<InvalidOperationException>(() => key.EncryptInPlace(new byte[28], 0, new byte[12]));
        Assert.Throws<InvalidOperationException>(() => key.TryDecrypt(new byte[28], [], out _));
    }

    [Theory]
    [MemberData(nameof(Ciphers))]
    public void TryDecrypt_BufferTooShort_Throws(OnionCipher cipher)
    {
        Assert.True(OnionLayerKey.TryDeriveForClient(Client, Node.PublicKey, cipher, out var key));
        Assert.Throws<ArgumentException>(() => key.TryDecrypt(new byte[80], new byte[key.GetMaxPlaintextLength(80) - 1], out _));
    }

    private static byte[] Decrypt(OnionLayerKey key, byte[] ciphertext)
    {
        var plaintext = new byte[key.GetMaxPlaintextLength(ciphertext.Length)];
        Assert.True(key.TryDecrypt(ciphertext, plaintext, out var written));
        return plaintext[..written];
    }

    private static OnionCipher Parse(string name)
    {
        Assert.True(OnionCiphers.TryParse(System.Text.Encoding.UTF8.GetBytes(name), out var cipher));
        return cipher;
    }
}
