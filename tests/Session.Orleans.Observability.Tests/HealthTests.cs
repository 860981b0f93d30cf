namespace Session.Orleans.Observability.Tests;

/// <summary>The command that containers without a shell use as their health check.</summary>
[Collection(SharedObservedNetwork.Name)]
public sealed class HealthTests(ObservedNetwork observed)
{
    [Fact]
    public async Task Health_OfAReadyProcess_IsExitCode0()
    {
        var result = await TestnetProcess.RunAsync($"health {new Uri(observed.Network.Process.Admin, "/health/ready")}");
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.Equal("ready", result.Output.Trim());
    }

    [Fact]
    public async Task Health_OfAnythingElse_SaysWhat()
    {
        var wrong = await TestnetProcess.RunAsync($"health {new Uri(observed.Network.Process.Admin, "/health/of/nothing")}");
        Assert.Equal((4, true), (wrong.ExitCode, wrong.Error.Contains("answers 404", StringComparison.Ordinal)));
        var dead = await TestnetProcess.RunAsync($"health http://127.0.0.1:{Ports.Find(1)}/");
        Assert.Equal((3, true), (dead.ExitCode, dead.Error.Contains("does not answer", StringComparison.Ordinal)));
        Assert.Equal(2, (await TestnetProcess.RunAsync("health nowhere")).ExitCode);
    }
}
