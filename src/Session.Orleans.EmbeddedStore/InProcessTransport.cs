using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Garnet.networking;
using RESPite.Transports;

// The client marks its transports as experimental: the version is pinned, and this file, the tunnel and their tests are all that a change
// could break. Its stable alternative, a stream, costs two thread hand-offs per command.
#pragma warning disable SER009

namespace Session.Orleans.EmbeddedStore;

/// <summary>
/// A connection without a socket. The client writes its commands straight into the buffer that the session reads; flushing it runs them
/// on the caller's thread, and the replies are there before the flush returns: no thread is woken on the way.
/// <para>
/// The client flushes under its own write lock, one thread at a time, and leaves the commands of others meanwhile to a thread of its own,
/// which hands them over as one batch. So a slow command delays only its own connection, and a batch of writes passes the commit gate once.
/// </para>
/// </summary>
internal sealed unsafe class InProcessTransport : DuplexTransport, INetworkSender
{
    private const int InputSize = 64 * 1024;
    private const int MostInputKept = 1024 * 1024;
    private const int OutputSize = 128 * 1024; // as the server's own connections have
    private const int MostOutputsKept = 4;

    // Replies to these may be delivered to the thread that sent them. Others may not: the client waits for the conditions of a transaction
    // with the pulse of a monitor, and would miss one that comes before it has begun to wait, and while it shakes hands it sends commands
    // from within replies, which needs the lock that the flushing thread holds.
    private static readonly byte[][] Prompt =
    [
        .. new[] { "EVALSHA", "GET", "HGET", "HGETALL", "MGET", "SET" }
            .Select(static name => Encoding.ASCII.GetBytes($"\r\n${name.Length}\r\n{name}\r\n")),
    ];

    private readonly Lock _gate = new();
    private readonly CommitGate? _commit;
    private readonly Action<InProcessTransport> _closed;
    private readonly MaxSizeSettings _sizes = new();
    private readonly Queue<(byte[] Buffer, int Offset, int Count)> _replies = new();
    private readonly Stack<byte[]> _spares = new();
    private readonly WaitCallback _deliver;

    private TransportReceiver? _receiver;
    private byte[] _input = NewInput(InputSize);
    private int _written;
    private byte[]? _output;
    private bool _executing;
    private bool _delivering;
    private bool _closing;
    private bool _ended;
    private bool _closedDown;

    public InProcessTransport(
        Func<INetworkSender, IMessageConsumer> createSession, CommitGate? commit, Action<InProcessTransport> closed)
    {
        _commit = commit;
        _closed = closed;
        _deliver = _ => Deliver();
        Session = createSession(this);
    }

    public IMessageConsumer Session { get; }

    public MaxSizeSettings GetMaxSizeSettings => _sizes;

    public string RemoteEndpointName => "in-process";

    public string LocalEndpointName => "in-process";

    // ---- the client's side --------------------------------------------------------------------------------------------------------

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _input.AsMemory(_written);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _input.AsSpan(_written);
    }

    public override void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _input.Length - _written);
        _written += count;
    }

    public override bool Flush()
    {
        lock (_gate)
        {
            // A client that gives up flushes once more, from wherever it is.
            if (_executing || _closing)
                return !_closing;
            var prompt = IsPrompt(_input.AsSpan(0, _written));
            Execute();
            if (_delivering || _receiver is null || (_replies.Count == 0 && !_closing))
                return true;
            _delivering = true;
            if (!prompt || _closing)
            {
                ThreadPool.UnsafeQueueUserWorkItem(_deliver, null);
                return true;
            }
        }

        Deliver();
        return true;
    }

    public override void Start(TransportReceiver receiver)
    {
        lock (_gate)
        {
            _receiver = receiver;
            if (_closedDown)
                ThreadPool.UnsafeQueueUserWorkItem(static receiver => receiver.OnClosed(null), receiver, preferLocal: false);
            else
                DeliverLater();
        }
    }

    public override ValueTask DisposeAsync()
    {
        Abort();
        return default;
    }

    /// <summary>
    /// Ends the connection once the command that runs has ended. The session is gone when this returns; the client still gets the replies up
    /// to then, and hears of the end.
    /// </summary>
    public void Abort()
    {
        lock (_gate)
        {
            _closing = true;
            if (!_executing)
                EndSession();
            DeliverLater();
        }
    }

    private void Reserve(int size)
    {
        size = Math.Max(size, 1024);
        if (_input.Length - _written >= size)
            return;
        var larger = NewInput((int)Math.Min(Array.MaxLength, Math.Max((long)_input.Length * 2, (long)_written + size)));
        _input.AsSpan(0, _written).CopyTo(larger);
        _input = larger;
    }

    // Never from a pool: a client that gives up may flush while another of its threads still writes, into a buffer that must then be nobody's.
    private static byte[] NewInput(int size) => GC.AllocateUninitializedArray<byte>(size, pinned: true);

    private static bool IsPrompt(ReadOnlySpan<byte> commands)
    {
        var first = commands[..Math.Min(commands.Length, 32)];
        first = first[Math.Max(0, first.IndexOf((byte)'\r'))..];
        foreach (var command in Prompt)
        {
            if (first.StartsWith(command))
                return commands.IndexOf("\r\nWATCH\r\n"u8) < 0;
        }

        return false;
    }

    /// <summary>Runs what has been written; what is not complete yet, a command or a transaction, stays. Holds the lock.</summary>
    private void Execute()
    {
        _executing = true;
        try
        {
            int consumed;
            fixed (byte* input = _input)
                consumed = Session.TryConsumeMessages(input, _written);
            if (consumed > 0)
            {
                _written -= consumed;
                _input.AsSpan(consumed, _written).CopyTo(_input);
            }

            if (_written == 0 && _input.Length > MostInputKept)
                _input = NewInput(InputSize);
            if (_replies.Count > 0)
                _commit?.Pass();
        }
        catch (Exception)
        {
            // What cannot be committed is not acknowledged.
            _replies.Clear();
            _closing = true;
            throw;
        }
        finally
        {
            _executing = false;
            if (_closing)
                EndSession();
        }
    }

    private void EndSession()
    {
        if (_ended)
            return;
        _ended = true;
        Session.Dispose();
    }

    // ---- replies ------------------------------------------------------------------------------------------------------------------

    private void DeliverLater()
    {
        if (_delivering || (_receiver is null && !_closing) || (_replies.Count == 0 && !_closing))
            return;
        _delivering = true;
        ThreadPool.UnsafeQueueUserWorkItem(_deliver, null);
    }

    /// <summary>Hands replies to the client in their order, one thread at a time, without the lock: the client may call back.</summary>
    private void Deliver()
    {
        TransportReceiver? receiver;
        while (true)
        {
            (byte[] Buffer, int Offset, int Count) reply;
            lock (_gate)
            {
                receiver = _receiver;
                if (receiver is null || !_replies.TryDequeue(out reply))
                {
                    if (!_closing)
                    {
                        _delivering = false;
                        return;
                    }

                    // Stays the one that delivers, for there is nothing after the end.
                    _closedDown = true;
                    break;
                }
            }

            var more = receiver.OnReceived(reply.Buffer.AsSpan(reply.Offset, reply.Count));
            bool last;
            lock (_gate)
            {
                Keep(reply.Buffer);
                last = _replies.Count == 0;
                if (!more)
                {
                    _replies.Clear();
                    _closing = true;
                    if (!_executing)
                        EndSession();
                }
            }

            if (last)
                receiver.OnBatchEnd();
        }

        _closed(this);
        receiver?.OnClosed(null);
    }

    private void Keep(byte[] buffer)
    {
        if (_spares.Count < MostOutputsKept)
            _spares.Push(buffer);
    }

    // ---- the session's side: it writes into a pinned buffer and hands that over when it is full or its commands are done ------------

    public bool IsLocalConnection() => true;

    public void Enter() => _gate.Enter();

    public void Exit()
    {
        // Published messages come from other connections' threads.
        if (!_executing)
            DeliverLater();
        _gate.Exit();
    }

    public void EnterAndGetResponseObject(out byte* head, out byte* tail)
    {
        Enter();
        GetResponseObject();
        head = GetResponseObjectHead();
        tail = GetResponseObjectTail();
    }

    public void ExitAndReturnResponseObject()
    {
        ReturnResponseObject();
        Exit();
    }

    public void GetResponseObject()
    {
        if (_output is null && !_spares.TryPop(out _output))
            _output = GC.AllocateUninitializedArray<byte>(OutputSize, pinned: true);
    }

    public void ReturnResponseObject()
    {
        if (_output is not null)
            Keep(_output);
        _output = null;
    }

    public byte* GetResponseObjectHead() =>
        _output is null ? null : (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_output));

    public byte* GetResponseObjectTail() => _output is null ? null : GetResponseObjectHead() + _output.Length;

    public bool SendResponse(int offset, int size)
    {
        if (_output is null)
            return false;
        _replies.Enqueue((_output, offset, size));
        _output = null;
        return true;
    }

    public void SendResponse(byte[] buffer, int offset, int count, object context) => throw new NotSupportedException();

    public void SendCallback(object context) => throw new NotSupportedException();

    public void Throttle()
    {
        // The client takes replies as fast as they come.
    }

    public void DisposeNetworkSender(bool waitForSendCompletion) => Abort();

    public bool TryClose()
    {
        lock (_gate)
        {
            var first = !_closing;
            Abort();
            return first;
        }
    }

    public void Dispose() => Abort();
}
