using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using X25519Primitive = Session.Orleans.Protocol.Cryptography.X25519;

namespace Session.Orleans.Benchmarks;

/// <summary>The primitives that a request cannot do without. A poll needs 4 agreements and a verification, a store a signature per swarm member.</summary>
[MemoryDiagnoser]
[Config(typeof(ShortRunInProcess))]
public class CryptoFloorBenchmark
{
    private readonly Ed25519KeyPair _node = Ed25519KeyPair.Generate();
    private readonly X25519KeyPair _client = X25519KeyPair.Generate();
    private readonly byte[] _hashText = RandomNumberGenerator.GetBytes(MessageHash.TextLength);
    private readonly byte[] _message = RandomNumberGenerator.GetBytes(1024);
    private readonly byte[] _plaintext = new byte[2048];
    private readonly byte[] _signature = new byte[Ed25519.SignatureLength];
    private readonly byte[] _output = new byte[32];
    private OnionLayerKey _aesKey, _chaChaKey;
    private byte[] _aesLayer = [], _chaChaLayer = [];

    [GlobalSetup]
    public void Setup()
    {
        _node.Sign(_hashText, _signature);
        (_aesKey, _aesLayer) = Encrypt(OnionCipher.AesGcm);
        (_chaChaKey, _chaChaLayer) = Encrypt(OnionCipher.XChaCha20);
    }

    [Benchmark]
    public bool X25519() => X25519Primitive.TryAgree(_node.X25519.SecretKey, _client.PublicKey.AsSpan(), _output);

    [Benchmark]
    public void X25519Base() => X25519Primitive.GetPublicKey(_client.SecretKey, _output);

    [Benchmark]
    public void Ed25519Sign() => Ed25519.Sign(_node.SecretKey, _hashText, _signature);

    [Benchmark]
    public bool Ed25519Verify() => Ed25519.Verify(_node.PublicKey.AsSpan(), _hashText, _signature);

    [Benchmark]
    public bool Ed25519ToX25519() => Ed25519.TryConvertPublicKey(_node.PublicKey.AsSpan(), _output);

    [Benchmark]
    public bool Aes256Gcm2KiB() => _aesKey.TryDecrypt(_aesLayer, _plaintext, out _);

    [Benchmark]
    public bool XChaCha20Poly1305With2KiB() => _chaChaKey.TryDecrypt(_chaChaLayer, _plaintext, out _);

    [Benchmark]
    public void Blake2bOf1KiB() => Blake2b.Hash(_message, _output);

    [Benchmark]
    public MessageHash MessageHashOf1KiB() => MessageHash.Compute(_node.SessionId, 0, _message);

    private (OnionLayerKey Key, byte[] Layer) Encrypt(OnionCipher cipher)
    {
        if (!OnionLayerKey.TryDeriveForNode(_node.X25519, _client.PublicKey, cipher, out var key))
            throw new InvalidOperationException("A random key has small order.");
        var layer = new byte[key.GetCiphertextLength(_plaintext.Length)];
        key.Encrypt(_plaintext, layer);
        return (key, layer);
    }
}
