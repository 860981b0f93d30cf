using System.Diagnostics;

namespace Session.Orleans.Deploy.Tests;

/// <summary>Runs helm, and finds the files of the repository.</summary>
internal static class Tools
{
    public static string Repository { get; } = FindRepository();

    public static string Chart { get; } = Path.Combine(Repository, "helm", "session-orleans");

    /// <summary>True: files of expected output are written instead of compared.</summary>
    public static bool Update { get; } = Environment.GetEnvironmentVariable("UPDATE_GOLDEN") is "1";

    private static string? Helm { get; } = FindHelm();

    /// <summary>Runs helm; the calling test is skipped where there is none, but fails on CI.</summary>
    public static HelmResult RunHelm(params IEnumerable<string> arguments)
    {
        if (Helm is null)
        {
            const string Missing = "There is no helm: deploy/ci/get-helm.sh installs it into artifacts/tools.";
            Assert.SkipWhen(Environment.GetEnvironmentVariable("CI") is not "true", Missing);
            Assert.Fail(Missing);
        }

        var start = new ProcessStartInfo(Helm, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        // No cluster and no settings of the person who runs the tests.
        start.Environment["KUBECONFIG"] = "/dev/null";
        start.Environment["HELM_CONFIG_HOME"] = start.Environment["HELM_CACHE_HOME"] = start.Environment["HELM_DATA_HOME"] =
            Path.Combine(AppContext.BaseDirectory, "helm-home");
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = process.StandardOutput.ReadToEnd();
        if (!process.WaitForExit(TimeSpan.FromMinutes(1)))
        {
            process.Kill();
            Assert.Fail("helm did not end within a minute.");
        }

        return new(process.ExitCode, output, error.GetAwaiter().GetResult());
    }

    private static string? FindHelm()
    {
        var own = Path.Combine(Repository, "artifacts", "tools", "helm");
        return File.Exists(own) ? own
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "helm")).FirstOrDefault(File.Exists);
    }

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Session.Orleans.sln")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("The tests run outside the repository.");
    }
}

internal sealed record HelmResult(int ExitCode, string Output, string Error);
