using System.Diagnostics;

namespace Session.Orleans.Observability.Tests;

/// <summary>Waits for conditions, never for times.</summary>
internal static class Wait
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Until <paramref name="condition"/> holds; fails with <paramref name="what"/> and what <paramref name="state"/> tells.</summary>
    public static Task UntilAsync(Func<bool> condition, string what, Func<string>? state = null) => UntilAsync(() => Task.FromResult(condition()), what, state);

    /// <summary>The same for a condition that has to be asked for.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what, Func<string>? state = null)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.True(watch.Elapsed < Limit, $"Not within {Limit.TotalSeconds} s: {what}.\n{state?.Invoke()}");
            await Task.Delay(Pause);
        }
    }
}
