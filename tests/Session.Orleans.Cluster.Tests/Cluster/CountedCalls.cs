using System.Reflection;

namespace Session.Orleans.Cluster.Tests;

/// <summary>Passes all calls on and counts them by name.</summary>
public class CountedCalls : DispatchProxy
{
    private object _target = null!;
    private Action<string> _count = null!;

    /// <summary>Puts a counter before <paramref name="target"/>.</summary>
    public static T Before<T>(T target, Action<string> count)
        where T : class
    {
        var proxy = Create<T, CountedCalls>();
        var calls = (CountedCalls)(object)proxy;
        (calls._target, calls._count) = (target, count);
        return proxy;
    }

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        _count(targetMethod!.Name);
        return targetMethod.Invoke(_target, args);
    }
}
