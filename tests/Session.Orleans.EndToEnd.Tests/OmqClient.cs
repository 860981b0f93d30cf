using System.Text;
using NetMQ;
using NetMQ.Sockets;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Testing; // shared with the console's tests

/// <summary>A client of one node's OxenMQ port, on a ZeroMQ implementation that is not ours. Use it from one test at a time.</summary>
internal sealed class OmqClient : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly DealerSocket _socket = new();
    private readonly Queue<byte[][]> _notifications = new();
    private int _tag;

    public OmqClient(Snode node, Snode? keyOf = null)
    {
        _socket.Options.Linger = TimeSpan.Zero;
        _socket.Options.CurveServerKey = (keyOf ?? node).X25519.AsSpan().ToArray();
        _socket.Options.CurveCertificate = new NetMQCertificate();
        _socket.Connect(node.OmqUrl!);
    }

    /// <summary>Sends a message as it is and returns the next one that comes.</summary>
    public byte[][] Exchange(params byte[][] parts)
    {
        Send(parts);
        return Receive();
    }

    /// <summary>True if anything answers; for clients that must not get through.</summary>
    public bool IsAnswered(TimeSpan wait, params byte[][] parts)
    {
        Send(parts);
        return _socket.Poll(PollEvents.PollIn, wait).HasFlag(PollEvents.PollIn);
    }

    /// <summary>Makes a request and returns the data of its reply. Notifications that come meanwhile are kept.</summary>
    public byte[][] Request(string command, params byte[][] data)
    {
        var tag = Encoding.ASCII.GetBytes($"tag{++_tag}");
        Send([Encoding.ASCII.GetBytes(command), tag, .. data]);
        while (true)
        {
            var message = Receive();
            if (message[0].AsSpan().SequenceEqual("notify.message"u8))
            {
                _notifications.Enqueue(message);
                continue;
            }

            Assert.Equal("REPLY"u8, message[0]);
            Assert.Equal(tag, message[1]);
            return message[2..];
        }
    }

    /// <summary>Makes a bencoded storage request; the status is 200 where the reply has one part.</summary>
    public (int Status, object Body) Rpc(string method, byte[] parameters)
    {
        var reply = Request("storage." + method, parameters);
        var status = reply.Length == 1 ? 200 : int.Parse(Encoding.ASCII.GetString(reply[0]), System.Globalization.CultureInfo.InvariantCulture);
        return (status, reply[^1] is [(byte)'d', ..] bencoded ? BencodeTree.Read(bencoded) : Encoding.UTF8.GetString(reply[^1]));
    }

    /// <summary>The same for a request of the library.</summary>
    public (int Status, object Body) Rpc(StorageRequest request) => Rpc(request.Method, Bencoded.FromRequest(request));

    /// <summary>The next notification.</summary>
    public BencodeTree Notification()
    {
        var message = _notifications.TryDequeue(out var kept) ? kept : Receive();
        Assert.Equal("notify.message"u8, message[0]);
        return BencodeTree.Read(Assert.Single(message[1..]));
    }

    public void Dispose() => _socket.Dispose();

    private void Send(byte[][] parts)
    {
        // The blocking form waits without end where the connection has been given up.
        var message = new NetMQMessage(parts);
        Assert.True(_socket.TrySendMultipartMessage(Limit, message), "There is no connection to send on.");
    }

    private byte[][] Receive()
    {
        var parts = new List<byte[]>();
        Assert.True(_socket.TryReceiveMultipartBytes(Limit, ref parts), "No message came.");
        return [.. parts!];
    }
}

/// <summary>A bencoded dictionary as tests look at it.</summary>
internal sealed class BencodeTree : Dictionary<string, object>
{
    private static readonly Encoding Bytes = Encoding.Latin1;

    public static BencodeTree Read(ReadOnlySpan<byte> data)
    {
        var reader = new BencodeReader(data);
        var tree = Assert.IsType<BencodeTree>(Read(ref reader));
        Assert.True(reader.IsComplete);
        return tree;
    }

    public BencodeTree Tree(string name) => (BencodeTree)this[name];

    public List<object> List(string name) => (List<object>)this[name];

    public long Number(string name) => (long)this[name];

    public byte[] Raw(string name) => (byte[])this[name];

    public string Text(string name) => Encoding.UTF8.GetString(Raw(name));

    private static object Read(ref BencodeReader reader)
    {
        switch (reader.Peek())
        {
            case BencodeToken.Number:
                if (reader.TryReadInteger(out long number))
                    return number;
                Assert.True(reader.TryReadInteger(out ulong large)); // a swarm id
                return large;
            case BencodeToken.Bytes:
                Assert.True(reader.TryReadBytes(out ReadOnlySpan<byte> bytes));
                return bytes.ToArray();
            case BencodeToken.ListStart:
                Assert.True(reader.TryReadListStart());
                var list = new List<object>();
                while (!reader.TryReadEnd())
                    list.Add(Read(ref reader));
                return list;
            default:
                Assert.True(reader.TryReadDictionaryStart());
                var tree = new BencodeTree();
                var key = default(BencodeKey);
                while (!reader.TryReadEnd())
                {
                    Assert.True(reader.TryReadNextKey(ref key), "Keys are sorted and come once.");
                    tree[Bytes.GetString(key.Value)] = Read(ref reader);
                }

                return tree;
        }
    }
}
