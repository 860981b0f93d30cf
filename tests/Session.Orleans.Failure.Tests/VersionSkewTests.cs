using Session.Orleans.Failure.Tests.Workload;

namespace Session.Orleans.Failure.Tests;

/// <summary>
/// A network of an earlier release becomes one of this release under traffic, process by process, and is taken back. Half way, silos and gateways
/// of both are in one cluster. How the earlier release leaves is its own: attempts may fail, but nothing gets lost. The earlier release is a folder that <c>SESSION_OLD_RELEASE</c> names; <c>deploy/ci/version-skew.sh</c> builds one.
/// </summary>
public sealed class VersionSkewTests
{
    private const int Mailboxes = 8;

    private static readonly string? Old = Environment.GetEnvironmentVariable("SESSION_OLD_RELEASE");

    [Fact]
    public async Task Upgrade_AndRollback_UnderTraffic()
    {
        Assert.SkipWhen(string.IsNullOrEmpty(Old), "SESSION_OLD_RELEASE names no earlier release.");
        using var folder = new TemporaryFolder();
        var program = folder.File("program");
        Copy(Old!, program);
        await using var cluster = new FailureCluster { Release = program };
        await cluster.InitializeAsync();
        await using var traffic = await MailboxTraffic.StartAsync(cluster.Testnet.Seed, Mailboxes);
        try
        {
            foreach (var release in (string[])[AppContext.BaseDirectory, Old!])
            {
                // As a package manager does it: running processes keep the files that they have.
                Directory.Move(program, folder.File(Path.GetRandomFileName()));
                Copy(release, program);
                var before = cluster.Members().Select(member => member.ProcessId).ToArray();
                var result = await TestnetProcess.RunAsync($"silos restart --data \"{cluster.Testnet.Directory}\"", TimeSpan.FromMinutes(3));
                Assert.True(result.ExitCode == 0, result.Error);
                await cluster.UntilWholeAsync(before);
                await traffic.UntilAllMailboxesWorkAsync();
                TestContext.Current.TestOutputHelper!.WriteLine($"{result.Output.Trim()}; {traffic.Summary()}");
            }

            Assert.Empty(await traffic.JudgeAsync());
        }
        finally
        {
            TestContext.Current.TestOutputHelper!.WriteLine(traffic.Summary());
        }
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var directory in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, directory)));
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }
}
