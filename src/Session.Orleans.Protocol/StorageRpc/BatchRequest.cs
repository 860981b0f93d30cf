using System.Collections.Immutable;
using System.Text.Json;
using Session.Orleans.Protocol.StorageRpc.Parsing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Several requests in one (storage-rpc.md, 13): 1 to 20, none of them made of others. The status is 200 whatever theirs are.</summary>
public abstract record RequestList : StorageRequest
{
    private const int List = 0;

    private protected RequestList()
    {
    }

    /// <summary>The requests, in order.</summary>
    public required ImmutableArray<StorageRequest> Requests { get; init; }

    private protected static RequestTableEntry CreateEntry(string name, Func<ImmutableArray<StorageRequest>, RequestList> create) => new(
        name,
        [new("requests", FieldKind.Any)],
        (ref ParameterFields fields, in StorageParseOptions options) =>
            ReadRequests(ref fields, options) is { IsDefault: false } requests ? create(requests) : null,
        isMeta: true);

    private static ImmutableArray<StorageRequest> ReadRequests(ref ParameterFields fields, in StorageParseOptions options)
    {
        var data = fields.Raw(List);
        var form = fields.Form;
        Span<JsonSlot> elements = stackalloc JsonSlot[StorageLimits.MaxBatchRequests];
        var count = fields.Type(List) is JsonTokenType.StartArray ? form.FindElements(data, elements) : 0;
        if (count == 0)
            fields.Fail("Invalid batch request: no valid \"requests\" field");
        else if (count > StorageLimits.MaxBatchRequests)
            fields.Fail("Invalid batch request: subrequest limit exceeded");
        if (fields.Failed)
            return default;

        var requests = ImmutableArray.CreateBuilder<StorageRequest>(count);
        Span<JsonSlot> slots = stackalloc JsonSlot[RequestTable.EnvelopeMembers.Length];
        foreach (var element in elements[..count])
        {
            if (ReadRequest(element, data, form, slots, options, out var error) is not { } request)
            {
                fields.Fail(error);
                return default;
            }

            requests.Add(request);
        }

        return requests.MoveToImmutable();
    }

    private static StorageRequest? ReadRequest(
        JsonSlot element, ReadOnlySpan<byte> list, RequestForm form, Span<JsonSlot> slots, in StorageParseOptions options,
        out StorageError error)
    {
        if (element.Type is not JsonTokenType.StartObject)
        {
            error = StorageError.InvalidRequest("Invalid batch request: requests must be objects");
            return null;
        }

        var data = element.Raw(list);
        slots.Clear();
        form.FindMembers(data, RequestTable.EnvelopeMembers, slots);
        var (method, parameters) = (slots[RequestTable.MethodMember], slots[RequestTable.ParamsMember]);
        if (method.Type is not JsonTokenType.String || parameters.Type is not JsonTokenType.StartObject)
        {
            error = StorageError.InvalidRequest("Invalid batch request: subrequests must have method/params keys");
            return null;
        }

        var entry = RequestTable.Find(data, form, method);
        if (entry is { IsMeta: false })
            return entry.TryParse(parameters.Raw(data), form, options, out var request, out error) ? request : null;
        error = StorageError.InvalidRequest(entry is null
            ? $"Invalid batch subrequest: invalid method \"{RequestTable.NameOf(data, form, method)}\""
            : "Invalid batch subrequest: subrequests may not contain meta-requests");
        return null;
    }
}

/// <summary>Requests that may run in any order, all of them.</summary>
public sealed record BatchRequest : RequestList
{
    /// <inheritdoc/>
    public override string Method => "batch";

    internal static RequestTableEntry Entry { get; } = CreateEntry("batch", static requests => new BatchRequest { Requests = requests });
}

/// <summary>Requests that run one after another, up to and including the first whose status is not 200..299.</summary>
public sealed record SequenceRequest : RequestList
{
    /// <inheritdoc/>
    public override string Method => "sequence";

    internal static RequestTableEntry Entry { get; } = CreateEntry("sequence", static requests => new SequenceRequest { Requests = requests });
}
