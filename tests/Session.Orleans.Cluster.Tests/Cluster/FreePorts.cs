using System.Net;
using System.Net.Sockets;

namespace Session.Orleans.Cluster.Tests;

/// <summary>Hands out neighbouring free ports, below those that the system gives to outgoing connections.</summary>
internal static class FreePorts
{
    private const int First = 10_000, End = 21_000;
    private static int _next = First + (Environment.ProcessId * 97 % (End - First));

    public static int Find(int count)
    {
        while (true)
        {
            var first = Interlocked.Add(ref _next, count) - count;
            if (first + count > End)
                Interlocked.CompareExchange(ref _next, First, first + count);
            else if (Enumerable.Range(first, count).All(IsFree))
                return first;
        }
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
}
