using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Session.Orleans.Storage.S3;

namespace Session.Orleans.Storage.Tests.Blobs;

/// <summary>A real S3-speaking server (the npm package s3rver). Its absence skips the tests, except on CI, where it fails them.</summary>
public sealed class S3Server : IAsyncLifetime
{
    private const string Bucket = "files";

    private readonly string _directory = Directory.CreateTempSubdirectory("s3-tests-").FullName;
    private Process? _process;

    /// <summary>Null when the server runs.</summary>
    public string? SkipReason { get; private set; }

    /// <summary>How to reach it.</summary>
    public S3BlobStoreOptions Options { get; private set; } = new() { Bucket = Bucket };

    /// <summary>Everything that lies in the bucket.</summary>
    public string[] Objects => [.. Directory.GetFiles(Path.Combine(_directory, Bucket), "*._S3rver_object", SearchOption.AllDirectories)];

    public async ValueTask InitializeAsync()
    {
        if (Find() is not { } program)
        {
            SkipReason = "No s3rver: npm install --prefix artifacts/s3rver s3rver@3.7.1";
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", SkipReason);
            return;
        }

        var port = Ports.Find(1);

        _process = Process.Start(new ProcessStartInfo(
            // It signs its lists with a cipher that OpenSSL 3 keeps aside.
            "node", ["--openssl-legacy-provider", program, "-d", _directory, "-a", "127.0.0.1", "-p", port.ToString(CultureInfo.InvariantCulture), "--no-vhost-buckets", "--configure-bucket", Bucket])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (await _process.StandardOutput.ReadLineAsync(limit.Token) is { } line && !line.Contains("listening", StringComparison.OrdinalIgnoreCase))
        {
        }

        Assert.False(_process.HasExited, "s3rver ended while it started.");
        _ = _process.StandardOutput.ReadToEndAsync();
        _ = _process.StandardError.ReadToEndAsync();
        Options = new()
        {
            Bucket = Bucket,
            Endpoint = new(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")),
            AccessKey = "S3RVER", // the server's own, fixed
            SecretKey = "S3RVER",
            Prefix = "blobs/",
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }

        Directory.Delete(_directory, recursive: true);
    }

    private static string? Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var program = Path.Combine(folder.FullName, "artifacts", "s3rver", "node_modules", "s3rver", "bin", "s3rver.js");
            if (File.Exists(program))
                return program;
        }

        return null;
    }
}
