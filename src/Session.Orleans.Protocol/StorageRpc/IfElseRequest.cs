using System.Collections.Immutable;
using System.Text.Json;
using Session.Orleans.Protocol.StorageRpc.Parsing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>What <c>ifelse</c> compares (storage-rpc.md, 13). Lists are compared in order, missing elements are 0. An empty list or null: not given.</summary>
public sealed record IfElseCondition
{
    private const int HeightFrom = 0, HeightTo = 1, HardForkFrom = 2, HardForkTo = 3, VersionFrom = 4, VersionTo = 5;

    private static readonly Field[] Fields =
    [
        new("height_at_least", FieldKind.Integer),
        new("height_before", FieldKind.Integer),
        new("hf_at_least", FieldKind.IntegerList),
        new("hf_before", FieldKind.IntegerList),
        new("v_at_least", FieldKind.IntegerList),
        new("v_before", FieldKind.IntegerList),
    ];

    private static readonly byte[][] Names = [.. Fields.Select(static field => System.Text.Encoding.ASCII.GetBytes(field.Name))];

    /// <summary>True at this block height and later.</summary>
    public long? HeightAtLeast { get; init; }

    /// <summary>True below this block height.</summary>
    public long? HeightBefore { get; init; }

    /// <summary>True at this hard fork (and revision) and later.</summary>
    public ImmutableArray<long> HardForkAtLeast { get; init; } = [];

    /// <summary>True before this hard fork (and revision).</summary>
    public ImmutableArray<long> HardForkBefore { get; init; } = [];

    /// <summary>True if the server has this version or a later one.</summary>
    public ImmutableArray<long> VersionAtLeast { get; init; } = [];

    /// <summary>True if the server has an earlier version.</summary>
    public ImmutableArray<long> VersionBefore { get; init; } = [];

    /// <summary>True if all given conditions hold.</summary>
    /// <param name="hardFork">Hard fork in force.</param>
    /// <param name="height">Block height.</param>
    public bool Holds(HardFork hardFork, long height)
    {
        ReadOnlySpan<int> fork = [hardFork.Major, hardFork.Minor];
        return (HeightAtLeast is not { } from || height >= from)
            && (HeightBefore is not { } to || height < to)
            && (HardForkAtLeast.IsEmpty || Compare(fork, HardForkAtLeast) >= 0)
            && (HardForkBefore.IsEmpty || Compare(fork, HardForkBefore) < 0)
            && (VersionAtLeast.IsEmpty || Compare(StorageLimits.Version, VersionAtLeast) >= 0)
            && (VersionBefore.IsEmpty || Compare(StorageLimits.Version, VersionBefore) < 0);
    }

    internal static IfElseCondition? Read(ReadOnlySpan<byte> data, ref ParameterFields outer)
    {
        Span<JsonSlot> slots = stackalloc JsonSlot[Fields.Length];
        slots.Clear();
        outer.Form.FindMembers(data, Names, slots);
        var fields = new ParameterFields(data, outer.Form, Fields, slots);
        if (fields.Error is { } error)
        {
            outer.Fail(error);
            return null;
        }

        var condition = new IfElseCondition
        {
            HeightAtLeast = fields.Integer(HeightFrom),
            HeightBefore = fields.Integer(HeightTo),
            HardForkAtLeast = fields.IntegerList(HardForkFrom),
            HardForkBefore = fields.IntegerList(HardForkTo),
            VersionAtLeast = fields.IntegerList(VersionFrom),
            VersionBefore = fields.IntegerList(VersionTo),
        };
        if (condition.HeightAtLeast is null && condition.HeightBefore is null
            && condition.HardForkAtLeast.IsEmpty && condition.HardForkBefore.IsEmpty
            && condition.VersionAtLeast.IsEmpty && condition.VersionBefore.IsEmpty)
            outer.Fail("Invalid ifelse request: must specify at least one \"if\" condition");
        return condition;
    }

    private static int Compare(ReadOnlySpan<int> actual, ImmutableArray<long> wanted)
    {
        for (var i = 0; i < actual.Length; i++)
        {
            var order = ((long)actual[i]).CompareTo(i < wanted.Length ? wanted[i] : 0);
            if (order != 0)
                return order;
        }

        return 0;
    }
}

/// <summary>Executes one of two requests, depending on the network's state (storage-rpc.md, 13).</summary>
public sealed record IfElseRequest : StorageRequest
{
    private const int ElseBranch = 0, Test = 1, ThenBranch = 2;

    /// <inheritdoc/>
    public override string Method => "ifelse";

    /// <summary>The condition.</summary>
    public required IfElseCondition Condition { get; init; }

    /// <summary>Executed if the condition holds; null if not given. At least one branch is.</summary>
    public StorageRequest? Then { get; init; }

    /// <summary>Executed if it does not hold; null if not given.</summary>
    public StorageRequest? Else { get; init; }

    internal static RequestTableEntry Entry { get; } = new(
        "ifelse",
        [new("else", FieldKind.Any), new("if", FieldKind.Any), new("then", FieldKind.Any)],
        Create,
        isMeta: true);

    private static IfElseRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (fields.Type(Test) is not JsonTokenType.StartObject)
        {
            fields.Fail("Invalid ifelse request: no valid \"if\" field");
            return null;
        }

        var condition = IfElseCondition.Read(fields.Raw(Test), ref fields);
        if (!fields.Has(ThenBranch) && !fields.Has(ElseBranch))
            fields.Fail("Invalid ifelse request: at least one of \"then\"/\"else\" required");
        var then = ReadBranch(ref fields, ThenBranch, "then", options);
        var otherwise = ReadBranch(ref fields, ElseBranch, "else", options);
        return fields.Failed ? null : new() { Condition = condition!, Then = then, Else = otherwise };
    }

    private static StorageRequest? ReadBranch(ref ParameterFields fields, int field, string name, in StorageParseOptions options)
    {
        if (fields.Failed || !fields.Has(field))
            return null;
        if (fields.Type(field) is not JsonTokenType.StartObject)
        {
            fields.Fail($"Invalid ifelse request: {name} must be an object");
            return null;
        }

        var data = fields.Raw(field);
        var form = fields.Form;
        Span<JsonSlot> slots = stackalloc JsonSlot[RequestTable.EnvelopeMembers.Length];
        slots.Clear();
        form.FindMembers(data, RequestTable.EnvelopeMembers, slots);
        var (method, parameters) = (slots[RequestTable.MethodMember], slots[RequestTable.ParamsMember]);
        if (method.Type is not JsonTokenType.String || parameters.Type is not JsonTokenType.StartObject)
            fields.Fail($"Invalid ifelse request: {name} must have method/params keys");
        else if (RequestTable.Find(data, form, method) is not { } entry)
            fields.Fail($"Invalid ifelse request method \"{name}\"");
        else if (entry.TryParse(parameters.Raw(data), form, options, out var request, out var error))
            return request;
        else
            fields.Fail(error);
        return null;
    }
}
