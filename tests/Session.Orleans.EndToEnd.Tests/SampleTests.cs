using System.Diagnostics;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>What a newcomer to the client library tries first.</summary>
[Collection(SharedNetwork.Name)]
public sealed class SampleTests(NetworkFixture fixture)
{
    [Fact]
    public async Task Sample_SendsAndReceivesAMessage()
    {
        var file = Path.Combine(AppContext.BaseDirectory, "HelloSession.dll");
        using var sample = Process.Start(new ProcessStartInfo("dotnet", [file, fixture.Network.Process.Seed.ToString()])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = sample.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var output = await sample.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await sample.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal((0, ""), (sample.ExitCode, await error));
        Assert.Matches("^Alice 05[0-9a-f]{64}, recovery phrase: ([a-z]+ ){12}[a-z]+\nstored as [A-Za-z0-9+/]{43}\nAlice: Hello through three hops!\n$", output.ReplaceLineEndings("\n"));
    }

    [Fact]
    public void Readme_ShowsTheSampleAsItIs()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Session.Orleans.sln")))
            root = root.Parent ?? throw new InvalidOperationException("The tests run outside of the repository.");
        var sample = File.ReadAllText(Path.Combine(root.FullName, "examples", "HelloSession", "Program.cs")).ReplaceLineEndings("\n");
        var readme = File.ReadAllText(Path.Combine(root.FullName, "src", "Session.Orleans.Client", "README.md")).ReplaceLineEndings("\n");
        Assert.Contains($"```csharp\n{sample}```", readme, StringComparison.Ordinal);
    }
}
