using System.Buffers.Binary;
using CsCheck;
using Google.Protobuf;
using Microsoft.Extensions.Time.Testing;
using Session.Orleans.Load.Traces;
using Session.Orleans.Load.Users;

namespace Session.Orleans.Load.Tests;

/// <summary>Where traced requests spent their time, from the spans that a network sends.</summary>
public sealed class TraceTests
{
    private const ulong Client = 0xC11E, Gateway = 1, Hop1 = 2, Hop2 = 3, Destination = 4, One = 5, Other = 6;

    private readonly FakeTimeProvider _time = new();
    private readonly TraceCollector _collector;

    /// <summary>A collector of its own for each test.</summary>
    public TraceTests() => _collector = new(_time);

    [Fact]
    public void Request_IsReadAsSent()
    {
        var body = Export(new UInt128(7, 9), Hop1, Gateway, "session.hop", 1000, 5000, [("session.hop", null, 1), ("session.instruction", "node", 0), ("session.node", "abcd", 0)])
            .Concat(Export(new UInt128(7, 9), Destination, Hop2, "session.hop", 2000, 4000, [("session.instruction", "destination", 0), ("session.hop", null, 4)]))
            .Concat(Export(new UInt128(7, 9), One, Destination, "mailbox.append", 2000, 3000, [])).ToArray();

        Assert.Equal(
            [
                new(new UInt128(7, 9), Hop1, Gateway, "hop 1", 1000, 5000, false), new(new UInt128(7, 9), Destination, Hop2, "destination", 2000, 4000, true),
                new(new UInt128(7, 9), One, Destination, "mailbox.append", 2000, 3000, false),
            ],
            OtlpTraces.Read(body));
    }

    [Fact]
    public void AnyBytes_AreSpansOrRefused()
    {
        var whole = Export(new UInt128(7, 9), Hop1, Gateway, "session.hop", 1000, 5000, [("session.hop", null, 1)]);
        Gen.OneOf(Gen.Byte.Array[0, 60], Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte, Gen.Int[0, whole.Length]).Select((at, by, length) =>
        {
            byte[] changed = [.. whole];
            changed[at] = by;
            return changed[..length];
        })).Sample(body =>
        {
            try
            {
                Assert.All(OtlpTraces.Read(body), span => Assert.True(span.Id != 0));
            }
            catch (InvalidProtocolBufferException)
            {
            }
        }, iter: 5000);
    }

    [Fact]
    public void OwnTime_IsWithoutThePartsInside_EvenWhereTheyGoOnTogether()
    {
        var trace = Send(outside: TimeSpan.FromMilliseconds(12), inProcess: TimeSpan.FromMilliseconds(2));
        // Gateway 0..10, hop 1 at 1..9, the destination at 2..8, in it two parts at 3..6 and 5..7.
        Receive(trace, Other, Destination, "part", 5, 7);
        Receive(trace, One, Destination, "part", 3, 6);
        Receive(trace, Destination, Hop1, "destination", 2, 8, endsPath: true);
        Receive(trace, Hop1, Gateway, "hop 1", 1, 9);
        Receive(trace, Gateway, Client, "POST /onion_req/v2", 0, 10);

        var parts = _collector.Results();

        Assert.Equal(["load process", "connection", "POST /onion_req/v2", "hop 1", "destination", "part"], parts.Select(part => part.Part));
        Assert.Equal([2, 2, 2, 2, 2, 2.5], parts.Select(part => Math.Round(part.Mean, 1)));
        Assert.Equal(2, parts[^1].Count);
        Assert.Equal((1, 1), (_collector.Begun, _collector.Seen));
    }

    [Fact]
    public void SpansOfOthers_AndTheWarmUp_AreLeftOut()
    {
        var sampler = new TraceSampler(1, _collector);
        var (warmUp, counted) = (sampler.Next(counts: false)!, sampler.Next(counts: true)!);
        Receive(IdOf(warmUp), Gateway, Client, "warm-up", 0, 10);
        Receive(new UInt128(1, 1), Gateway, Client, "somebody's", 0, 10);
        Receive(IdOf(counted), Gateway, Client, "ours", 0, 10);

        Assert.Equal(["ours"], _collector.Results().Select(part => part.Part)); // without an answer nothing is known of the rest
        Assert.Equal((1, 1), (_collector.Begun, _collector.Seen));
    }

    [Fact]
    public async Task Wait_EndsWhenTheWholePathHasTold_OrWhenTheTimeIsOver()
    {
        var trace = Send(TimeSpan.FromMilliseconds(12), TimeSpan.Zero);
        Receive(trace, Destination, Hop1, "destination", 2, 8, endsPath: true);
        Receive(trace, Gateway, Client, "gateway", 0, 10);
        var waiting = _collector.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(waiting.IsCompleted); // hop 1 is missing

        Receive(trace, Hop1, Gateway, "hop 1", 1, 9);
        _time.Advance(TimeSpan.FromSeconds(1));
        await waiting.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        _ = Send(TimeSpan.FromMilliseconds(12), TimeSpan.Zero);
        waiting = _collector.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        for (var i = 0; i < 200 && !waiting.IsCompleted; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        await waiting.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    [Fact]
    public void OldTraces_AreTakenUp_WhileTheRunGoesOn()
    {
        var old = Send(TimeSpan.FromMilliseconds(12), TimeSpan.Zero);
        Receive(old, Gateway, Client, "gateway", 0, 10);
        _time.Advance(TimeSpan.FromMinutes(1));
        var young = Send(TimeSpan.FromMilliseconds(12), TimeSpan.Zero);
        Receive(young, Gateway, Client, "gateway", 0, 10);

        Receive(old, Hop1, Gateway, "hop 1", 1, 9); // too late

        Assert.DoesNotContain(_collector.Results(), part => part.Part == "hop 1");
        Assert.Equal((2, 2), (_collector.Begun, _collector.Seen));
    }

    private UInt128 Send(TimeSpan outside, TimeSpan inProcess)
    {
        var id = new UInt128((ulong)Random.Shared.NextInt64(1, long.MaxValue), 5);
        _collector.Begin(id);
        _collector.Answered($"00-{id:x32}-{Client:x16}-01", inProcess, outside);
        return id;
    }

    private void Receive(UInt128 trace, ulong id, ulong parent, string part, long start, long end, bool endsPath = false) =>
        _collector.Receive(new(trace, id, parent, part, start * 1_000_000, end * 1_000_000, endsPath));

    private static UInt128 IdOf(string context) => UInt128.Parse(TraceSampler.IdOf(context)!, System.Globalization.NumberStyles.AllowHexSpecifier, null);

    /// <summary>An export of one span, as protobuf; two of them one after another are an export of two.</summary>
    private static byte[] Export(UInt128 trace, ulong id, ulong parent, string name, ulong start, ulong end, (string Key, string? Text, long Number)[] attributes)
    {
        return Message(1, Message(2, Message(2, Write(span =>
        {
            Bytes(span, 1, Big(16, bytes => BinaryPrimitives.WriteUInt128BigEndian(bytes, trace)));
            Bytes(span, 2, Big(8, bytes => BinaryPrimitives.WriteUInt64BigEndian(bytes, id)));
            Bytes(span, 4, Big(8, bytes => BinaryPrimitives.WriteUInt64BigEndian(bytes, parent)));
            Bytes(span, 5, System.Text.Encoding.UTF8.GetBytes(name));
            span.WriteTag(6, WireFormat.WireType.Varint);
            span.WriteEnum(2);
            span.WriteTag(7, WireFormat.WireType.Fixed64);
            span.WriteFixed64(start);
            span.WriteTag(8, WireFormat.WireType.Fixed64);
            span.WriteFixed64(end);
            foreach (var (key, text, number) in attributes)
            {
                Bytes(span, 9, Write(attribute =>
                {
                    Bytes(attribute, 1, System.Text.Encoding.UTF8.GetBytes(key));
                    Bytes(attribute, 2, Write(value =>
                    {
                        if (text is not null)
                        {
                            Bytes(value, 1, System.Text.Encoding.UTF8.GetBytes(text));
                            return;
                        }

                        value.WriteTag(3, WireFormat.WireType.Varint);
                        value.WriteInt64(number);
                    }));
                }));
            }
        }))));

        static byte[] Message(int field, byte[] inner) => Write(output => Bytes(output, field, inner));

        static void Bytes(CodedOutputStream output, int field, byte[] bytes)
        {
            output.WriteTag(field, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(bytes));
        }

        static byte[] Write(Action<CodedOutputStream> write)
        {
            using var stream = new MemoryStream();
            using (var output = new CodedOutputStream(stream, leaveOpen: true))
                write(output);
            return stream.ToArray();
        }

        static byte[] Big(int length, Action<byte[]> write)
        {
            var bytes = new byte[length];
            write(bytes);
            return bytes;
        }
    }
}
