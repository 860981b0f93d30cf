using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;
using X25519Primitive = Session.Orleans.Protocol.Cryptography.X25519;

namespace Session.Orleans.Testnet.Bench;

/// <summary>
/// What the protocol's cryptography costs on this machine: CPU microseconds per call on one thread, the best of several rounds. Good for comparing
/// machines; what requests are compared with is <see cref="ServerFloor"/>.
/// </summary>
internal sealed class CryptoCosts
{
    private const int Rounds = 15;
    private static readonly TimeSpan RoundLength = TimeSpan.FromMilliseconds(20);

    private CryptoCosts()
    {
    }

    /// <summary>X25519 agreement, one per onion layer.</summary>
    public double X25519 { get; private init; }

    /// <summary>X25519 public key of a secret key.</summary>
    public double X25519Base { get; private init; }

    /// <summary>Ed25519 signature of 43 bytes, one per swarm member and store.</summary>
    public double Ed25519Sign { get; private init; }

    /// <summary>Ed25519 verification, one per authenticated request.</summary>
    public double Ed25519Verify { get; private init; }

    /// <summary>Ed25519 public key to X25519: needed once per account, not per request, hence not in the floor.</summary>
    public double Ed25519ToX25519 { get; private init; }

    /// <summary>AES-256-GCM, 2 KiB.</summary>
    public double Aes256Gcm2KiB { get; private init; }

    /// <summary>XChaCha20-Poly1305, 2 KiB.</summary>
    public double XChaCha20Poly1305With2KiB { get; private init; }

    /// <summary>BLAKE2b-256, 1 KiB.</summary>
    public double Blake2bOf1KiB { get; private init; }

    /// <summary>Hash of a message of 1 KiB.</summary>
    public double MessageHash { get; private init; }

    /// <summary>Measures all primitives; takes a few seconds of an otherwise idle process.</summary>
    public static CryptoCosts Measure()
    {
        var node = Ed25519KeyPair.Generate();
        var other = X25519KeyPair.Generate();
        var message = RandomNumberGenerator.GetBytes(43);
        var data = RandomNumberGenerator.GetBytes(StoreWorkload.MessageLength);
        var (shared, signature, publicKey) = (new byte[32], new byte[Ed25519.SignatureLength], new byte[32]);
        node.Sign(message, signature);
        return new()
        {
            X25519 = Measure(() => Require(X25519Primitive.TryAgree(node.X25519.SecretKey, other.PublicKey.AsSpan(), shared))),
            X25519Base = Measure(() => X25519Primitive.GetPublicKey(other.SecretKey, publicKey)),
            Ed25519Sign = Measure(() => Ed25519.Sign(node.SecretKey, message, signature)),
            Ed25519Verify = Measure(() => Require(Ed25519.Verify(node.PublicKey.AsSpan(), message, signature))),
            Ed25519ToX25519 = Measure(() => Require(Ed25519.TryConvertPublicKey(node.PublicKey.AsSpan(), publicKey))),
            Aes256Gcm2KiB = MeasureDecrypt(OnionCipher.AesGcm, 2048),
            XChaCha20Poly1305With2KiB = MeasureDecrypt(OnionCipher.XChaCha20, 2048),
            Blake2bOf1KiB = Measure(() => Blake2b.Hash(data, shared)),
            MessageHash = Measure(() => Protocol.Identity.MessageHash.Compute(node.SessionId, 0, data)),
        };
    }

    /// <summary>The lower figure of each pair: two measurements apart in time, so that a busy moment of the machine spoils neither.</summary>
    public CryptoCosts Best(CryptoCosts other) => new()
    {
        X25519 = Math.Min(X25519, other.X25519),
        X25519Base = Math.Min(X25519Base, other.X25519Base),
        Ed25519Sign = Math.Min(Ed25519Sign, other.Ed25519Sign),
        Ed25519Verify = Math.Min(Ed25519Verify, other.Ed25519Verify),
        Ed25519ToX25519 = Math.Min(Ed25519ToX25519, other.Ed25519ToX25519),
        Aes256Gcm2KiB = Math.Min(Aes256Gcm2KiB, other.Aes256Gcm2KiB),
        XChaCha20Poly1305With2KiB = Math.Min(XChaCha20Poly1305With2KiB, other.XChaCha20Poly1305With2KiB),
        Blake2bOf1KiB = Math.Min(Blake2bOf1KiB, other.Blake2bOf1KiB),
        MessageHash = Math.Min(MessageHash, other.MessageHash),
    };

    private static double MeasureDecrypt(OnionCipher cipher, int length)
    {
        var (node, client) = (X25519KeyPair.Generate(), X25519KeyPair.Generate());
        Require(OnionLayerKey.TryDeriveForNode(node, client.PublicKey, cipher, out var key));
        var plaintext = new byte[length];
        var ciphertext = new byte[key.GetCiphertextLength(length)];
        key.Encrypt(plaintext, ciphertext);
        return Measure(() => Require(key.TryDecrypt(ciphertext, plaintext, out _)));
    }

    private static double Measure(Action action)
    {
        // The first round compiles and finds out how many calls fill a round.
        var count = 16;
        while (Run(action, count) < RoundLength)
            count *= 2;
        var best = TimeSpan.MaxValue;
        for (var round = 0; round < Rounds; round++)
        {
            var took = Run(action, count);
            best = took < best ? took : best;
        }

        return best.TotalMicroseconds / count;
    }

    // CPU time of the process: other processes on the machine don't enter, and this one does nothing else meanwhile.
    private static TimeSpan Run(Action action, int count)
    {
        var before = Environment.CpuUsage.TotalTime;
        for (var i = 0; i < count; i++)
            action();
        return Environment.CpuUsage.TotalTime - before;
    }

    private static void Require(bool ok)
    {
        if (!ok)
            throw new CommandException(ExitCodes.CheckFailed, "The cryptography on this machine does not work.");
    }
}
