using System.Globalization;
using System.Reflection;
using Xunit.Sdk;
using Xunit.v3;

namespace Session.Orleans.Conformance.Harness;

/// <summary>The network under test.</summary>
public enum Store
{
    /// <summary>Started by the test run, on the embedded store.</summary>
    Embedded,

    /// <summary>Started by the test run, on a <c>redis-server</c>.</summary>
    Redis,

    /// <summary>The network at <c>SESSION_SEED_URL</c>; nothing is started.</summary>
    Url,
}

/// <summary>How a storage request gets to its node.</summary>
public enum Transport
{
    /// <summary><c>POST /storage_rpc/v1</c> at the node.</summary>
    Direct,

    /// <summary>Through a guard, two more hops, and the node as the destination.</summary>
    Onion,
}

/// <summary>Runs a rule on every network under test; further arguments follow the <see cref="Store"/>.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class OnEveryStoreAttribute(params object?[] arguments) : DataAttribute
{
    /// <inheritdoc/>
    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        new([.. Targets.Stores.Select(store => Targets.Row(store, [store, .. arguments]))]);

    /// <inheritdoc/>
    public override bool SupportsDiscoveryEnumeration() => true;
}

/// <summary>Runs a rule of the storage RPC on every network and by every transport; further arguments follow these two.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class EverywhereAttribute(params object?[] arguments) : DataAttribute
{
    /// <inheritdoc/>
    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        new([.. from store in Targets.Stores from via in Enum.GetValues<Transport>() select Targets.Row(store, [store, via, .. arguments])]);

    /// <inheritdoc/>
    public override bool SupportsDiscoveryEnumeration() => true;
}

/// <summary>The part of the specification that a rule comes from; a trait, so that a run can be limited to it.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class SectionAttribute(string document, string section) : Attribute, ITraitAttribute
{
    /// <summary>Name of the trait.</summary>
    public const string Trait = "Section";

    /// <inheritdoc/>
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new(Trait, string.Create(CultureInfo.InvariantCulture, $"{document} {section}"))];
}

/// <summary>What is tested.</summary>
internal static class Targets
{
    /// <summary>Seed of a network that somebody else runs; null to start networks.</summary>
    public static Uri? ForeignSeed { get; } =
        Environment.GetEnvironmentVariable("SESSION_SEED_URL") is { Length: > 0 } url ? new Uri(url) : null;

    public static Store[] Stores { get; } = ForeignSeed is null ? [Store.Embedded, Store.Redis] : [Store.Url];

    public static ITheoryDataRow Row(Store store, object?[] data) =>
        new TheoryDataRow(data) { Skip = store is Store.Redis ? RedisServer.SkipReason : null };
}
