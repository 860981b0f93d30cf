using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Benchmarks;

/// <summary>What a hop does with a layer besides calling the next one, and what a client does to make a request of 1.6 KiB.</summary>
[MemoryDiagnoser]
[Config(typeof(ShortRunInProcess))]
public class OnionLayerBenchmark
{
    private const int RequestLength = 1600;
    private const int ReplyLength = 2048;

    private readonly Ed25519KeyPair[] _nodes = [.. Enumerable.Range(0, 4).Select(_ => Ed25519KeyPair.Generate())];
    private readonly byte[] _request = new byte[RequestLength];
    private readonly byte[] _reply = new byte[ReplyLength];
    private OnionHop[] _path = [];
    private byte[] _body = [];
    private OnionEnvelope _envelope;
    private ReadOnlyMemory<byte> _plaintext;
    private OnionLayerKey _key;

    [Params(OnionCipher.AesGcm, OnionCipher.XChaCha20)]
    public OnionCipher Cipher { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        RandomNumberGenerator.Fill(_request);
        // Quotes as often as in a store reply, because they have to be escaped.
        for (var i = 0; i < _reply.Length; i++)
            _reply[i] = (byte)(i % 20 == 0 ? '"' : 'a');
        _path = Array.ConvertAll(_nodes, node => new OnionHop(node.PublicKey, node.X25519.PublicKey));
        _body = OnionRequestBuilder.BuildToNode(_path, Cipher, _request).HttpBody;
        if (!ParseEnvelope() || !OpenLayer() || !ParseInstruction())
            throw new InvalidOperationException("The request that was built can't be opened.");
    }

    [Benchmark]
    public bool ParseEnvelope() => OnionEnvelope.TryParse(_body, out _envelope, out _);

    [Benchmark]
    public bool OpenLayer() => OnionLayer.TryOpen(
        _nodes[0].X25519, _envelope.EphemeralKey, Cipher, _envelope.Ciphertext.Span, out _plaintext, out _key);

    [Benchmark]
    public bool ParseInstruction() => OnionInstruction.TryParse(_plaintext, out _);

    [Benchmark]
    public byte[] SealReply() => OnionReply.Seal(_key, 200, _reply, bodyIsJson: true, json: false, base64: true);

    [Benchmark]
    public OnionRequest BuildRequest() => OnionRequestBuilder.BuildToNode(_path, Cipher, _request);
}
