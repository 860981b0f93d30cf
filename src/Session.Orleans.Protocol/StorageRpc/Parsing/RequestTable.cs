using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Session.Orleans.Protocol.StorageRpc.Parsing;

/// <summary>Builds a request from type-checked fields; null after noting an error in them.</summary>
internal delegate StorageRequest? RequestFactory(ref ParameterFields fields, in StorageParseOptions options);

/// <summary>One method: its name, its parameters in ascending order of their names, and what makes a request of them.</summary>
internal sealed class RequestTableEntry(string name, ReadOnlySpan<Field> fields, RequestFactory create, bool isMeta = false)
{
    private readonly Field[] _fields = fields.ToArray();
    private readonly byte[][] _names = [.. fields.ToArray().Select(static field => Encoding.ASCII.GetBytes(field.Name))];

    public byte[] Name { get; } = Encoding.ASCII.GetBytes(name);

    /// <summary>True for methods made of other requests, which may not stand in a batch.</summary>
    public bool IsMeta => isMeta;

    internal ReadOnlySpan<Field> Fields => _fields;

    /// <summary>Parses an object that was checked before.</summary>
    public bool TryParse(
        ReadOnlySpan<byte> parameters, RequestForm form, in StorageParseOptions options,
        [NotNullWhen(true)] out StorageRequest? request, out StorageError error)
    {
        Span<JsonSlot> slots = stackalloc JsonSlot[_names.Length];
        slots.Clear();
        form.FindMembers(parameters, _names, slots);
        var fields = new ParameterFields(parameters, form, _fields, slots);
        try
        {
            request = fields.Failed ? null : create(ref fields, options);
            if (fields.Failed)
                request = null;
            error = fields.Error.GetValueOrDefault();
            return request is not null;
        }
        finally
        {
            fields.Dispose();
        }
    }
}

/// <summary>All methods.</summary>
internal static class RequestTable
{
    public const int MethodMember = 0;
    public const int ParamsMember = 1;

    /// <summary>The members of <c>{"method", "params"}</c>.</summary>
    public static readonly byte[][] EnvelopeMembers = ["method"u8.ToArray(), "params"u8.ToArray()];

    private static readonly RequestTableEntry[] Entries =
    [
        // In the order of use: the search is linear.
        RetrieveRequest.Entry,
        StoreRequest.Entry,
        BatchRequest.Entry,
        SequenceRequest.Entry,
        ExpireRequest.Entry,
        GetSwarmRequest.Entry,
        GetSwarmRequest.OldEntry,
        DeleteRequest.Entry,
        DeleteAllRequest.Entry,
        DeleteBeforeRequest.Entry,
        ExpireAllRequest.Entry,
        GetExpiriesRequest.Entry,
        InfoRequest.Entry,
        OxendRequest.Entry,
        RevokeSubaccountRequest.Entry,
        UnrevokeSubaccountRequest.Entry,
        IfElseRequest.Entry,
    ];

    internal static ReadOnlySpan<RequestTableEntry> All => Entries;

    /// <summary>The method with this name, or null.</summary>
    public static RequestTableEntry? Find(ReadOnlySpan<byte> name)
    {
        foreach (var entry in Entries)
        {
            if (name.SequenceEqual(entry.Name))
                return entry;
        }

        return null;
    }

    /// <summary>The method named by a string, or null.</summary>
    public static RequestTableEntry? Find(ReadOnlySpan<byte> data, RequestForm form, JsonSlot name) =>
        form is RequestForm.Bencode ? Find(name.Raw(data))
        : name.IsEscaped ? Find(Encoding.UTF8.GetBytes(NameOf(data, form, name)))
        : Find(name.Inner(data));

    /// <summary>The text of a string.</summary>
    public static string NameOf(ReadOnlySpan<byte> data, RequestForm form, JsonSlot name)
    {
        if (form is RequestForm.Bencode)
            return Encoding.UTF8.GetString(name.Raw(data));
        var reader = JsonScan.Reader(name.Raw(data));
        reader.Read();
        return reader.GetString()!;
    }
}
