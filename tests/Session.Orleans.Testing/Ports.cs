using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Session.Orleans.Testing;

/// <summary>
/// Hands out neighbouring free ports. Test projects run beside each other, so each process first takes a block of ports that no other one has,
/// by a lock on a file that ends with the process, whatever ends it.
/// </summary>
internal static class Ports
{
    // Below the range from which the system takes the ports of outgoing connections.
    private const int First = 10_000;
    private const int Blocks = 22;

    /// <summary>A node's OxenMQ port is so far above its HTTPS port: the lower half of a block is handed out, the upper belongs to it.</summary>
    public const int OmqOffset = 500;

    private static readonly string Folder = Path.Combine(Path.GetTempPath(), "session-orleans-ports");
    private static readonly Lock Lock = new();
    private static readonly List<Block> Owned = [];

    /// <summary>First of <paramref name="count"/> neighbouring ports that are free, as are those <see cref="OmqOffset"/> above them; others at every call.</summary>
    public static int Find(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, OmqOffset);
        lock (Lock)
        {
            foreach (var block in Owned)
            {
                if (block.Find(count) is { } port)
                    return port;
            }

            while (true)
            {
                Owned.Add(Take());
                if (Owned[^1].Find(count) is { } port)
                    return port;
            }
        }
    }

    private static Block Take()
    {
        Directory.CreateDirectory(Folder);
        for (var i = 0; i < Blocks; i++)
        {
            var number = (Environment.ProcessId + i) % Blocks;
            try
            {
                return new(First + (number * 2 * OmqOffset),
                    new FileStream(Path.Combine(Folder, number.ToString(CultureInfo.InvariantCulture)), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (IOException)
            {
                // Another process has it, or this one.
            }
        }

        throw new InvalidOperationException($"All {Blocks} blocks of ports are taken; see {Folder}.");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <param name="first">Its first port.</param>
    /// <param name="holder">Its locked file, as long as the process lives.</param>
    private sealed class Block(int first, FileStream holder)
    {
        private int _offset;

        // Once round: a port that was just given back may be wanted again by a test that restarts its network there.
        public int? Find(int count)
        {
            GC.KeepAlive(holder);
            for (var tried = 0; tried < OmqOffset; tried += count)
            {
                if (_offset + count > OmqOffset)
                    _offset = 0;
                var found = first + _offset;
                _offset += count;
                if (Enumerable.Range(found, count).All(port => IsFree(port) && IsFree(port + OmqOffset)))
                    return found;
            }

            return null;
        }
    }
}
