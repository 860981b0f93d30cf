using System.Diagnostics;

namespace Session.Orleans.Storage.Tests;

internal static class Waiting
{
    /// <summary>Waits until the condition holds; fails with what it waited for and what it saw last.</summary>
    public static async Task UntilAsync<T>(string what, Func<Task<T>> observe, Func<T, bool> condition, int timeoutSeconds = 30)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var seen = await observe();
            if (condition(seen))
                return;
            Assert.True(clock.Elapsed.TotalSeconds < timeoutSeconds, $"Waited {timeoutSeconds} s for {what}; last seen: {seen}.");
            await Task.Delay(20);
        }
    }
}
