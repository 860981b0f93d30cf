using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.Zmtp;

/// <summary>
/// The server's side of CurveZMQ (ZeroMQ RFC 26) on one connection, without I/O: first the handshake, HELLO, WELCOME, INITIATE, READY; then
/// messages. All cryptography is libsodium's. Any client may connect; it proves that it has the key it names and nothing else. Not
/// safe for concurrent use, but one thread may open what comes while another seals what goes.
/// </summary>
/// <param name="node">The node's key pair, whose public key clients know beforehand.</param>
public sealed class CurveServer(X25519KeyPair node) : IDisposable
{
    /// <summary>Bytes that <see cref="Seal"/> adds to a part.</summary>
    public const int MessageOverhead = MessageName + ShortNonce + CryptoBox.Overhead + 1;

    /// <summary>Longest command of the handshake that is looked at, in bytes; a client's metadata are far shorter.</summary>
    public const int MaxHandshakeLength = 4096;

    private const int ShortNonce = 8, LongNonce = 16, MessageName = 8, PrefixLength = 16;
    private const int HelloLength = 200, CookieLength = 96, VouchLength = 80;
    private const int InitiateStart = 9 + CookieLength + ShortNonce;
    private const byte InnerMore = 1, InnerCommand = 2;

    private readonly byte[] _cookie = RandomNumberGenerator.GetBytes(CookieLength);
    private readonly X25519KeyPair _transient = X25519KeyPair.Generate();
    private readonly byte[] _clientTransient = new byte[X25519.KeyLength];
    private CryptoBox? _box;
    private State _state;
    private ulong _received;
    private ulong _sent;

    private enum State
    {
        Hello,
        Initiate,
        Ready,
        Failed,
    }

    /// <summary>True once messages may be exchanged.</summary>
    public bool IsReady => _state is State.Ready;

    /// <summary>The key the client has proved to own; meaningful once <see cref="IsReady"/>.</summary>
    public X25519PublicKey ClientKey { get; private set; }

    /// <summary>
    /// Takes the client's next command of the handshake. False ends the connection: the command is malformed, was made for another server,
    /// or comes at the wrong time.
    /// </summary>
    /// <param name="command">The command's body.</param>
    /// <param name="reply">The command to answer with.</param>
    public bool TryAdvance(ReadOnlySpan<byte> command, [NotNullWhen(true)] out byte[]? reply)
    {
        reply = _state switch
        {
            State.Hello => Welcome(command),
            State.Initiate => Ready(command),
            _ => null,
        };
        if (reply is null)
            _state = State.Failed;
        return reply is not null;
    }

    /// <summary>Opens a MESSAGE. False ends the connection: it is malformed, altered or a repetition.</summary>
    /// <param name="message">Body of the frame.</param>
    /// <param name="head">What was inside: a command or a part, and whether another part follows.</param>
    /// <param name="content">The content.</param>
    public bool TryOpen(ReadOnlySpan<byte> message, out ZmtpFrameHead head, out byte[] content)
    {
        head = default;
        content = [];
        const int Start = MessageName + ShortNonce;
        if (_state is not State.Ready || message.Length < Start + CryptoBox.Overhead + 1 || !message.StartsWith("\u0007MESSAGE"u8))
            return false;
        Span<byte> nonce = stackalloc byte[CryptoBox.NonceLength];
        if (!TakeNonce("CurveZMQMESSAGEC"u8, message.Slice(MessageName, ShortNonce), nonce))
            return false;
        var opened = ArrayPool<byte>.Shared.Rent(message.Length - Start - CryptoBox.Overhead);
        try
        {
            var plain = opened.AsSpan(0, message.Length - Start - CryptoBox.Overhead);
            if (!_box!.TryOpen(message[Start..], nonce, plain))
                return false;
            head = new((plain[0] & InnerCommand) != 0, (plain[0] & InnerMore) != 0, plain.Length - 1);
            content = plain[1..].ToArray();
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(opened);
        }
    }

    /// <summary>Writes a part of a message, or a command, as one frame.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="content">The content.</param>
    /// <param name="isCommand">A command, as opposed to a part of a message.</param>
    /// <param name="hasMore">Another part of the same message follows.</param>
    public void Seal(IBufferWriter<byte> output, ReadOnlySpan<byte> content, bool isCommand = false, bool hasMore = false)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (_state is not State.Ready)
            throw new InvalidOperationException("The handshake is not over.");
        var length = content.Length + MessageOverhead;
        // The outer frame says nothing of what is in it.
        ZmtpFraming.WriteHead(output, new(IsCommand: false, HasMore: false, length));
        var span = output.GetSpan(length)[..length];
        "\u0007MESSAGE"u8.CopyTo(span);
        Span<byte> nonce = stackalloc byte[CryptoBox.NonceLength];
        "CurveZMQMESSAGES"u8.CopyTo(nonce);
        BinaryPrimitives.WriteUInt64BigEndian(nonce[PrefixLength..], ++_sent);
        nonce[PrefixLength..].CopyTo(span[MessageName..]);
        var plain = ArrayPool<byte>.Shared.Rent(content.Length + 1);
        try
        {
            plain[0] = (byte)((isCommand ? InnerCommand : 0) | (hasMore ? InnerMore : 0));
            content.CopyTo(plain.AsSpan(1));
            _box!.Seal(plain.AsSpan(0, content.Length + 1), nonce, span[(MessageName + ShortNonce)..]);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(plain);
        }

        output.Advance(length);
    }

    /// <summary>Forgets the connection's key.</summary>
    public void Dispose()
    {
        _state = State.Failed;
        _box?.Dispose();
    }

    private byte[]? Welcome(ReadOnlySpan<byte> hello)
    {
        // "HELLO", version 1.0, 72 zeros, the client's transient key, nonce, a box of 64 zeros that shows that the client knows our key.
        if (hello.Length != HelloLength || !hello.StartsWith("\u0005HELLO\u0001\u0000"u8))
            return null;
        hello.Slice(80, X25519.KeyLength).CopyTo(_clientTransient);
        if (!CryptoBox.TryCreate(_clientTransient, node.SecretKey, out var box))
            return null;
        using (box)
        {
            Span<byte> nonce = stackalloc byte[CryptoBox.NonceLength];
            Span<byte> zeros = stackalloc byte[64];
            if (!TakeNonce("CurveZMQHELLO---"u8, hello.Slice(112, ShortNonce), nonce) || !box.TryOpen(hello[120..], nonce, zeros)
                || zeros.ContainsAnyExcept((byte)0))
                return null;

            // The cookie is opaque to the client; as the connection remembers its state, random bytes are as good as that state encrypted.
            Span<byte> content = stackalloc byte[X25519.KeyLength + CookieLength];
            _transient.PublicKey.AsSpan().CopyTo(content);
            _cookie.CopyTo(content[X25519.KeyLength..]);
            var welcome = new byte[8 + LongNonce + content.Length + CryptoBox.Overhead];
            "\u0007WELCOME"u8.CopyTo(welcome);
            RandomNumberGenerator.Fill(welcome.AsSpan(8, LongNonce));
            "WELCOME-"u8.CopyTo(nonce);
            welcome.AsSpan(8, LongNonce).CopyTo(nonce[8..]);
            box.Seal(content, nonce, welcome.AsSpan(8 + LongNonce));
            _state = State.Initiate;
            return welcome;
        }
    }

    private byte[]? Ready(ReadOnlySpan<byte> initiate)
    {
        // "INITIATE", our cookie, nonce, and boxed: the client's key, a nonce, its vouch for the transient key, metadata.
        const int Fixed = X25519.KeyLength + LongNonce + VouchLength;
        if (initiate.Length < InitiateStart + CryptoBox.Overhead + Fixed || initiate.Length > MaxHandshakeLength
            || !initiate.StartsWith("\u0008INITIATE"u8)
            || !CryptographicOperations.FixedTimeEquals(initiate.Slice(9, CookieLength), _cookie)
            || !CryptoBox.TryCreate(_clientTransient, _transient.SecretKey, out _box))
            return null;
        Span<byte> nonce = stackalloc byte[CryptoBox.NonceLength];
        Span<byte> content = stackalloc byte[initiate.Length - InitiateStart - CryptoBox.Overhead];
        if (!TakeNonce("CurveZMQINITIATE"u8, initiate.Slice(9 + CookieLength, ShortNonce), nonce)
            || !_box.TryOpen(initiate[InitiateStart..], nonce, content))
            return null;

        var client = content[..X25519.KeyLength];
        if (!CryptoBox.TryCreate(client, _transient.SecretKey, out var vouching))
            return null;
        using (vouching)
        {
            "VOUCH---"u8.CopyTo(nonce);
            content.Slice(X25519.KeyLength, LongNonce).CopyTo(nonce[8..]);
            Span<byte> vouch = stackalloc byte[VouchLength - CryptoBox.Overhead];
            if (!vouching.TryOpen(content.Slice(X25519.KeyLength + LongNonce, VouchLength), nonce, vouch)
                || !vouch[..X25519.KeyLength].SequenceEqual(_clientTransient)
                || !vouch[X25519.KeyLength..].SequenceEqual(node.PublicKey.AsSpan()))
                return null;
        }

        if (!IsFromClientSocket(content[Fixed..]))
            return null;
        ClientKey = new(client);

        var metadata = "\u000bSocket-Type\u0000\u0000\u0000\u0006ROUTER"u8;
        var ready = new byte[6 + ShortNonce + metadata.Length + CryptoBox.Overhead];
        "\u0005READY"u8.CopyTo(ready);
        BinaryPrimitives.WriteUInt64BigEndian(ready.AsSpan(6), ++_sent);
        "CurveZMQREADY---"u8.CopyTo(nonce);
        ready.AsSpan(6, ShortNonce).CopyTo(nonce[PrefixLength..]);
        _box.Seal(metadata, nonce, ready.AsSpan(6 + ShortNonce));
        _state = State.Ready;
        return ready;
    }

    // Sockets that may talk to a ROUTER. Metadata: name length, name, value length (4 bytes), value, and so on.
    private static bool IsFromClientSocket(ReadOnlySpan<byte> metadata)
    {
        var isClient = false;
        while (!metadata.IsEmpty)
        {
            var nameEnd = 1 + metadata[0];
            if (metadata.Length < nameEnd + 4)
                return false;
            var name = metadata[1..nameEnd];
            var length = BinaryPrimitives.ReadUInt32BigEndian(metadata[nameEnd..]);
            metadata = metadata[(nameEnd + 4)..];
            if (length > (uint)metadata.Length)
                return false;
            var value = metadata[..(int)length];
            metadata = metadata[(int)length..];
            if (name.SequenceEqual("Socket-Type"u8))
                isClient = value.SequenceEqual("DEALER"u8) || value.SequenceEqual("REQ"u8) || value.SequenceEqual("ROUTER"u8);
        }

        return isClient;
    }

    // Numbers only grow: a repeated command is an attack.
    private bool TakeNonce(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> number, Span<byte> nonce)
    {
        var value = BinaryPrimitives.ReadUInt64BigEndian(number);
        if (value <= _received)
            return false;
        _received = value;
        prefix.CopyTo(nonce);
        number.CopyTo(nonce[PrefixLength..]);
        return true;
    }
}
