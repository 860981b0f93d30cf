using System.Buffers;
using CsCheck;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Zmtp;

namespace Session.Orleans.Protocol.Tests.Zmtp;

public sealed class CurveServerTests
{
    private static readonly X25519KeyPair Node = X25519KeyPair.Generate();

    [Fact]
    public void Handshake_EndsReady()
    {
        var client = new CurveClient(Node.PublicKey);
        using var server = new CurveServer(Node);
        client.Connect(server);
        Assert.True(server.IsReady);
        Assert.Equal(client.Keys.PublicKey, server.ClientKey);
    }

    [Theory]
    [InlineData(0, false, false)]
    [InlineData(1, false, true)]
    [InlineData(2, true, false)]
    public void Message_IsOpened(byte flags, bool isCommand, bool hasMore)
    {
        var (client, server) = Connect();
        foreach (var content in new[] { [], "x"u8.ToArray(), new byte[100_000] })
        {
            Assert.True(server.TryOpen(client.Message(flags, content), out var head, out var opened));
            Assert.Equal(content, opened);
            Assert.Equal(new(isCommand, hasMore, content.Length), head);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(300)]
    [InlineData(100_000)]
    public void Seal_WritesOneFrameThatTheClientOpens(int length)
    {
        var (client, server) = Connect();
        var content = new byte[length];
        Random.Shared.NextBytes(content);
        var output = new ArrayBufferWriter<byte>();

        server.Seal(output, content, hasMore: true);
        server.Seal(output, content);

        var input = new ReadOnlySequence<byte>(output.WrittenMemory);
        foreach (var flags in new byte[] { 1, 0 })
        {
            Assert.True(ZmtpFraming.TryReadHead(input, out var head, out var consumed, out _));
            Assert.Equal((false, false, (long)length + CurveServer.MessageOverhead), (head.IsCommand, head.HasMore, head.Length));
            Assert.Equal([flags, .. content], client.OpenMessage(input.Slice(consumed, head.Length).ToArray()));
            input = input.Slice(consumed + head.Length);
        }

        Assert.True(input.IsEmpty);
    }

    [Fact]
    public void Message_Repeated_IsRefused()
    {
        var (client, server) = Connect();
        var message = client.Message(0, "x"u8);
        Assert.True(server.TryOpen(message, out _, out _));
        Assert.False(server.TryOpen(message, out _, out _));
        client.RepeatNumbers();
        Assert.False(server.TryOpen(client.Message(0, "y"u8), out _, out _));
    }

    [Fact]
    public void Message_BeforeTheHandshakeIsOver_IsRefused()
    {
        using var server = new CurveServer(Node);
        Assert.False(server.TryOpen(new byte[100], out _, out _));
        Assert.Throws<InvalidOperationException>(() => server.Seal(new ArrayBufferWriter<byte>(), []));
    }

    [Fact]
    public void Hello_ForAnotherServer_IsRefused()
    {
        using var server = new CurveServer(Node);
        Assert.False(server.TryAdvance(new CurveClient(X25519KeyPair.Generate().PublicKey).Hello(), out _));
        Assert.False(server.TryAdvance(new CurveClient(Node.PublicKey).Hello(), out _));   // and there is no second try
    }

    [Fact]
    public void Initiate_VouchedForAnotherServer_IsRefused() =>
        Assert.False(AfterWelcome(client => client.Initiate(vouchFor: X25519KeyPair.Generate().PublicKey)));

    [Theory]
    [InlineData("DEALER", true)]
    [InlineData("REQ", true)]
    [InlineData("ROUTER", true)]
    [InlineData("SUB", false)]
    [InlineData("", false)]
    public void Initiate_OfASocketThatFitsARouter_IsAccepted(string socketType, bool accepted) =>
        Assert.Equal(accepted, AfterWelcome(client => client.Initiate(socketType)));

    [Fact]
    public void AnyAlteredCommand_IsRefused() => Gen.Select(Gen.Int[0, 2], Gen.Double.Unit, Gen.Byte[1, 255], Gen.Bool).Sample(
        static (stage, place, change, cut) =>
        {
            var client = new CurveClient(Node.PublicKey);
            using var server = new CurveServer(Node);
            var command = client.Hello();
            if (stage > 0)
            {
                Assert.True(server.TryAdvance(command, out var welcome));
                client.TakeWelcome(welcome);
                command = client.Initiate();
            }

            if (stage > 1)
            {
                Assert.True(server.TryAdvance(command, out _));
                command = client.Message(0, "content"u8);
            }

            var at = (int)(place * command.Length);
            // The padding of HELLO is the one place that nobody looks at.
            if (stage == 0 && at is >= 8 and < 80 && !cut)
                return;
            if (cut)
                command = command[..at];
            else
                command[at] ^= change;
            Assert.False(stage > 1 ? server.TryOpen(command, out _, out _) : server.TryAdvance(command, out _));
        },
        iter: 3_000);

    [Fact]
    public void AnyBytes_NeverThrow() => Gen.Byte.Array[0, 300].Sample(
        static bytes =>
        {
            using var server = new CurveServer(Node);
            Assert.False(server.TryAdvance(bytes, out _));
            var (_, connected) = Connect();
            Assert.False(connected.TryOpen(bytes, out _, out _));
            _ = ZmtpFraming.IsCurveClient(bytes);
            var isHead = ZmtpFraming.TryReadHead(new(bytes), out var head, out var consumed, out var isMalformed);
            Assert.True(head.Length >= 0 && consumed <= ZmtpFraming.MaxHeadLength);
            Assert.False(isHead && isMalformed);
        },
        iter: 3_000);

    [Fact]
    public void FrameHead_WrittenAndRead_IsTheSame() => Gen.Select(Gen.Bool, Gen.Bool, Gen.Long[0, long.MaxValue]).Sample(
        static (isCommand, hasMore, length) =>
        {
            foreach (var size in new[] { length, length & 0x1ff })
            {
                var head = new ZmtpFrameHead(isCommand, hasMore && !isCommand, size);
                var output = new ArrayBufferWriter<byte>();
                ZmtpFraming.WriteHead(output, head);
                Assert.True(ZmtpFraming.TryReadHead(new(output.WrittenMemory), out var read, out var consumed, out var isMalformed));
                Assert.Equal((head, output.WrittenCount, false), (read, consumed, isMalformed));
                for (var i = 0; i < output.WrittenCount; i++)
                    Assert.False(ZmtpFraming.TryReadHead(new(output.WrittenMemory[..i]), out _, out _, out isMalformed) || isMalformed);
            }
        });

    [Fact]
    public void Greeting_OfAServer_IsNoClients()
    {
        var greeting = ZmtpFraming.CurveServerGreeting.ToArray();
        Assert.False(ZmtpFraming.IsCurveClient(greeting));
        greeting[32] = 0;
        Assert.True(ZmtpFraming.IsCurveClient(greeting));
        Assert.False(ZmtpFraming.IsCurveClient([.. greeting[..10], 2, .. greeting[11..]]));
        Assert.False(ZmtpFraming.IsCurveClient([.. greeting[..12], .. "NULL"u8, 0, .. greeting[17..]]));
    }

    private static bool AfterWelcome(Func<CurveClient, byte[]> initiate)
    {
        var client = new CurveClient(Node.PublicKey);
        using var server = new CurveServer(Node);
        Assert.True(server.TryAdvance(client.Hello(), out var welcome));
        client.TakeWelcome(welcome);
        return server.TryAdvance(initiate(client), out _);
    }

    private static (CurveClient Client, CurveServer Server) Connect()
    {
        var client = new CurveClient(Node.PublicKey);
        var server = new CurveServer(Node);
        client.Connect(server);
        return (client, server);
    }
}
