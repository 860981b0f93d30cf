using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Zmtp;

namespace Session.Orleans.Protocol.Tests.Zmtp;

/// <summary>The client's side of CurveZMQ (ZeroMQ RFC 26), to test the server's.</summary>
internal sealed class CurveClient(X25519PublicKey server)
{
    private readonly X25519KeyPair _transient = X25519KeyPair.Generate();
    private byte[] _serverTransient = [];
    private byte[] _cookie = [];
    private ulong _sent;

    public X25519KeyPair Keys { get; } = X25519KeyPair.Generate();

    public byte[] Hello()
    {
        var (number, nonce) = Nonce("CurveZMQHELLO---");
        return [.. "\u0005HELLO\u0001\u0000"u8, .. new byte[72], .. _transient.PublicKey.AsSpan(), .. number, .. Seal(server.AsSpan(), _transient, nonce, new byte[64])];
    }

    public void TakeWelcome(byte[] welcome)
    {
        Assert.Equal("\u0007WELCOME"u8, welcome.AsSpan(0, 8));
        var content = Open(server.AsSpan(), _transient, [.. "WELCOME-"u8, .. welcome.AsSpan(8, 16)], welcome.AsSpan(24));
        (_serverTransient, _cookie) = (content[..32], content[32..]);
    }

    public byte[] Initiate(string socketType = "DEALER", X25519PublicKey? vouchFor = null)
    {
        byte[] vouchNonce = [.. Enumerable.Repeat((byte)3, 16)];
        byte[] vouch = [.. _transient.PublicKey.AsSpan(), .. (vouchFor ?? server).AsSpan()];
        var type = Encoding.ASCII.GetBytes(socketType);
        byte[] content =
        [
            .. Keys.PublicKey.AsSpan(), .. vouchNonce, .. Seal(_serverTransient, Keys, [.. "VOUCH---"u8, .. vouchNonce], vouch),
            .. "\u000bSocket-Type\u0000\u0000\u0000"u8, (byte)type.Length, .. type, .. "\u0008Identity\u0000\u0000\u0000\u0000"u8,
        ];
        var (number, nonce) = Nonce("CurveZMQINITIATE");
        return [.. "\u0008INITIATE"u8, .. _cookie, .. number, .. Seal(_serverTransient, _transient, nonce, content)];
    }

    public byte[] OpenReady(byte[] ready)
    {
        Assert.Equal("\u0005READY"u8, ready.AsSpan(0, 6));
        return Open(_serverTransient, _transient, [.. "CurveZMQREADY---"u8, .. ready.AsSpan(6, 8)], ready.AsSpan(14));
    }

    public byte[] Message(byte flags, ReadOnlySpan<byte> content)
    {
        var (number, nonce) = Nonce("CurveZMQMESSAGEC");
        return [.. "\u0007MESSAGE"u8, .. number, .. Seal(_serverTransient, _transient, nonce, [flags, .. content])];
    }

    public byte[] OpenMessage(byte[] message)
    {
        Assert.Equal("\u0007MESSAGE"u8, message.AsSpan(0, 8));
        return Open(_serverTransient, _transient, [.. "CurveZMQMESSAGES"u8, .. message.AsSpan(8, 8)], message.AsSpan(16));
    }

    public void RepeatNumbers() => _sent = 0;

    /// <summary>Shakes hands to the end.</summary>
    public void Connect(CurveServer curve)
    {
        Assert.True(curve.TryAdvance(Hello(), out var welcome));
        TakeWelcome(welcome);
        Assert.True(curve.TryAdvance(Initiate(), out var ready));
        Assert.Equal("\u000bSocket-Type\u0000\u0000\u0000\u0006ROUTER"u8, OpenReady(ready));
    }

    private static byte[] Seal(ReadOnlySpan<byte> peer, X25519KeyPair own, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> content)
    {
        Assert.True(CryptoBox.TryCreate(peer, own.SecretKey, out var box));
        var sealedBox = new byte[content.Length + CryptoBox.Overhead];
        box.Seal(content, nonce, sealedBox);
        return sealedBox;
    }

    private static byte[] Open(ReadOnlySpan<byte> peer, X25519KeyPair own, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> sealedBox)
    {
        Assert.True(CryptoBox.TryCreate(peer, own.SecretKey, out var box));
        var content = new byte[sealedBox.Length - CryptoBox.Overhead];
        Assert.True(box.TryOpen(sealedBox, nonce, content));
        return content;
    }

    private (byte[] Number, byte[] Nonce) Nonce(string prefix)
    {
        var number = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(number, ++_sent);
        return (number, [.. Encoding.ASCII.GetBytes(prefix), .. number]);
    }
}
