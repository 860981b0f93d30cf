using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Session.Orleans.Testing;

/// <summary>A <c>redis-server</c> of one test that appends every write to its file.</summary>
internal sealed class RedisServer : IDisposable, IAsyncDisposable
{
    private const string Missing = "redis-server is not on the PATH; install the package redis-server to run this test.";

    private readonly TemporaryFolder _folder = new();
    private readonly int _port = Ports.Find(1);
    private readonly string _fsync;
    private Process? _process;

    private RedisServer(string fsync) => _fsync = fsync;

    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}");

    /// <summary>Why tests with a Redis can't run here; null if they can. In continuous integration they must, and fail instead.</summary>
    public static string? SkipReason { get; } =
        IsInstalled || Environment.GetEnvironmentVariable("CI") is "true" ? null : Missing;

    private static bool IsInstalled =>
        Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, "redis-server")));

    /// <summary>Starts one, or skips the test where none is installed.</summary>
    /// <param name="fsync">When what is written goes to the disk: <c>everysec</c>, or <c>always</c>, before it is acknowledged.</param>
    public static async Task<RedisServer> StartAsync(string fsync = "everysec")
    {
        Assert.SkipWhen(SkipReason is not null, Missing);
        Assert.True(IsInstalled, Missing);

        var server = new RedisServer(fsync);
        await server.LaunchAsync();
        return server;
    }

    /// <summary>Ends it with SIGKILL and starts it again on the same file.</summary>
    public async Task KillAndStartAgainAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        await LaunchAsync();
    }

    /// <summary>Freezes it: connections stay, and nothing answers.</summary>
    public void Pause() => Signals.Send(_process!.Id, Signals.Stop);

    /// <summary>Lets it go on.</summary>
    public void Resume() => Signals.Send(_process!.Id, Signals.Continue);

    /// <summary>Closes every connection that it has.</summary>
    public async Task CutConnectionsAsync()
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", _port);
        await client.GetStream().WriteAsync("CLIENT KILL TYPE normal SKIPME yes\r\nCLIENT KILL TYPE pubsub\r\n"u8.ToArray());
        var answer = new byte[64];
        Assert.Equal((byte)':', answer.AsSpan(0, await client.GetStream().ReadAsync(answer))[0]); // how many were closed
    }

    public void Dispose()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process?.Dispose();
        _folder.Dispose();
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return default;
    }

    private async Task LaunchAsync()
    {
        _process = Process.Start(new ProcessStartInfo("redis-server", string.Create(CultureInfo.InvariantCulture,
            $"--port {_port} --bind 127.0.0.1 --dir \"{_folder.Path}\" --appendonly yes --appendfsync {_fsync} --save \"\""))
        {
            RedirectStandardOutput = true,
        })!;
        _process.BeginOutputReadLine();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync("127.0.0.1", _port, limit.Token);
                await client.GetStream().WriteAsync("PING\r\n"u8.ToArray(), limit.Token);
                var answer = new byte[5];
                await client.GetStream().ReadExactlyAsync(answer, limit.Token);
                if (answer.AsSpan().SequenceEqual("+PONG"u8))
                    return;
            }
            catch (Exception exception) when (exception is SocketException or IOException)
            {
                Assert.False(_process.HasExited, "redis-server did not start.");
            }

            await Task.Delay(50, limit.Token);
        }
    }
}
