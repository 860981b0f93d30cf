using System.Diagnostics;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>
/// libzmq, the ZeroMQ that OxenMQ is built on, as a client. It comes with Debian's python3-zmq; without it the test is skipped, but on CI it
/// fails.
/// </summary>
[Collection(SharedNetwork.Name)]
public sealed class LibzmqTests(NetworkFixture fixture)
{
    private const string Python = "/usr/bin/python3";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    [Fact]
    public async Task Libzmq_SpeaksWithTheNodes()
    {
        if (!File.Exists(Python) || (await RunAsync("-c", "import zmq; assert zmq.has('curve')")).ExitCode != 0)
        {
            const string Reason = "No libzmq with CURVE for Python (Debian: apt-get install python3-zmq).";
            Assert.False(Environment.GetEnvironmentVariable("CI") == "true", Reason);
            Assert.Skip(Reason);
        }

        var (exitCode, output) = await RunAsync(Path.Combine(AppContext.BaseDirectory, "libzmq_client.py"), fixture.Network.Process.DescriptionFile);
        Assert.True(exitCode == 0, output);
        Assert.EndsWith("all is well\n", output, StringComparison.Ordinal);
    }

    private static async Task<(int ExitCode, string Output)> RunAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Python, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        try
        {
            await process.WaitForExitAsync().WaitAsync(Limit);
        }
        catch (TimeoutException)
        {
            process.Kill();
            Assert.Fail($"The client did not end:\n{await output}\n{await error}");
        }

        return (process.ExitCode, await output + await error);
    }
}
