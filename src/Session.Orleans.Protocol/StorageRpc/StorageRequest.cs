using System.Diagnostics.CodeAnalysis;
using System.Text;
using Session.Orleans.Protocol.StorageRpc.Parsing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>How requests are parsed.</summary>
/// <param name="TestNetwork">True on a test network: a <c>pubkey</c> of 64 hex digits is accepted and means prefix 05 (storage-rpc.md, 2).</param>
public readonly record struct StorageParseOptions(bool TestNetwork);

/// <summary>
/// One request of the storage RPC, parsed completely (storage-rpc.md, 1 and 2). It owns its bytes: the body it was read from may be reused.
/// </summary>
public abstract record StorageRequest
{
    private protected StorageRequest()
    {
    }

    /// <summary>The method's name; of several names, the usual one.</summary>
    public abstract string Method { get; }

    /// <summary>
    /// Parses a whole body, <c>{"method": ..., "params": {...}}</c>. Never throws: anything else than a valid request is an error with status
    /// 400 and the specification's text.
    /// </summary>
    public static bool TryParse(
        ReadOnlySpan<byte> body, in StorageParseOptions options, [NotNullWhen(true)] out StorageRequest? request, out StorageError error)
    {
        request = null;
        Span<JsonSlot> slots = stackalloc JsonSlot[RequestTable.EnvelopeMembers.Length];
        slots.Clear();
        if (!JsonScan.TryScan(body, RequestTable.EnvelopeMembers, slots, out var isObject))
            error = StorageError.InvalidJson;
        else if (!isObject || slots[RequestTable.MethodMember].Type is not System.Text.Json.JsonTokenType.String)
            error = StorageError.NoMethodField;
        else if (slots[RequestTable.ParamsMember].Type is not System.Text.Json.JsonTokenType.StartObject)
            error = StorageError.NoParamsField;
        else if (RequestTable.Find(body, RequestForm.Json, slots[RequestTable.MethodMember]) is { } entry)
            return entry.TryParse(slots[RequestTable.ParamsMember].Raw(body), RequestForm.Json, options, out request, out error);
        else
            error = StorageError.NoSuchMethod(RequestTable.NameOf(body, RequestForm.Json, slots[RequestTable.MethodMember]));
        return false;
    }

    /// <summary>Parses the <c>params</c> object of a method that came by another way than the usual body. Never throws.</summary>
    /// <param name="method">The method's name, UTF-8.</param>
    /// <param name="parameters">JSON text of the object.</param>
    /// <param name="options">How to parse.</param>
    /// <param name="request">The request.</param>
    /// <param name="error">What is wrong, status 400.</param>
    public static bool TryParseParameters(
        ReadOnlySpan<byte> method, ReadOnlySpan<byte> parameters, in StorageParseOptions options,
        [NotNullWhen(true)] out StorageRequest? request, out StorageError error)
    {
        request = null;
        if (!JsonScan.TryScan(parameters, [], [], out var isObject))
            error = StorageError.InvalidJson;
        else if (!isObject)
            error = StorageError.NoParamsField;
        else if (RequestTable.Find(method) is { } entry)
            return entry.TryParse(parameters, RequestForm.Json, options, out request, out error);
        else
            error = StorageError.NoSuchMethod(Encoding.UTF8.GetString(method));
        return false;
    }

    /// <summary>
    /// Parses the parameters of a request that came over OxenMQ (storage-rpc.md, 17): nothing, which stands for no parameters, a bencoded
    /// dictionary, or JSON. Never throws.
    /// </summary>
    /// <param name="method">The method's name, UTF-8.</param>
    /// <param name="parameters">The message part.</param>
    /// <param name="options">How to parse.</param>
    /// <param name="form">The form of the parameters, in which the reply is wanted too.</param>
    /// <param name="request">The request.</param>
    /// <param name="error">What is wrong, status 400.</param>
    public static bool TryParseMessage(
        ReadOnlySpan<byte> method, ReadOnlySpan<byte> parameters, in StorageParseOptions options, out RequestForm form,
        [NotNullWhen(true)] out StorageRequest? request, out StorageError error)
    {
        form = RequestForm.Json;
        request = null;
        if (parameters.IsEmpty)
            parameters = "{}"u8;
        var isObject = false;
        bool valid;
        if (parameters[0] == (byte)'d')
        {
            form = RequestForm.Bencode;
            valid = BencodeScan.IsDictionary(parameters);
        }
        else
        {
            valid = JsonScan.TryScan(parameters, [], [], out isObject) && isObject;
        }

        if (RequestTable.Find(method) is not { } entry)
            error = StorageError.NoSuchMethod(Encoding.UTF8.GetString(method));
        else if (!valid)
            error = StorageError.InvalidMessage;
        else
            return entry.TryParse(parameters, form, options, out request, out error);
        return false;
    }

    /// <summary>True if there is a method of this name (UTF-8).</summary>
    public static bool IsMethod(ReadOnlySpan<byte> name) => RequestTable.Find(name) is not null;
}
