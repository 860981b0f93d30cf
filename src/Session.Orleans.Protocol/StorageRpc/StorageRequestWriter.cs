using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// The client's side: writes requests as JSON, in the form in which <see cref="StorageRequest.TryParse"/> reads them. Sign an account's
/// request first with <see cref="AccountRequest.SignWith"/>.
/// </summary>
public static class StorageRequestWriter
{
    /// <summary>Writes a whole body, <c>{"method": ..., "params": {...}}</c>.</summary>
    public static void Write(IBufferWriter<byte> output, StorageRequest request)
    {
        var json = new Utf8Output(output);
        WriteEnvelope(ref json, request);
        json.Complete();
    }

    /// <summary>A whole body as an array.</summary>
    public static byte[] ToArray(StorageRequest request)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Write(buffer, request);
        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteEnvelope(ref Utf8Output json, StorageRequest request)
    {
        json.Raw("{\"method\":"u8);
        json.Text(request.Method);
        json.Raw(",\"params\":{"u8);
        var first = true;
        WriteParameters(ref json, ref first, request);
        json.Raw("}}"u8);
    }

    private static void WriteParameters(ref Utf8Output json, ref bool first, StorageRequest request)
    {
        if (request is AccountRequest { } signed)
            WriteAccount(ref json, ref first, signed);
        switch (request)
        {
            case StoreRequest store:
                WriteStore(ref json, ref first, store);
                break;
            case RetrieveRequest retrieve:
                WriteRetrieve(ref json, ref first, retrieve);
                break;
            case GetExpiriesRequest expiries:
                WriteMessages(ref json, ref first, expiries.Messages);
                Number(ref json, ref first, "timestamp"u8, expiries.Timestamp);
                break;
            case DeleteRequest delete:
                WriteMessages(ref json, ref first, delete.Messages);
                Flag(ref json, ref first, "required"u8, delete.Required);
                break;
            case DeleteAllRequest delete:
                WriteNamespace(ref json, ref first, delete.Namespace);
                Number(ref json, ref first, "timestamp"u8, delete.Timestamp);
                break;
            case DeleteBeforeRequest delete:
                WriteNamespace(ref json, ref first, delete.Namespace);
                Number(ref json, ref first, "before"u8, delete.Before);
                break;
            case ExpireAllRequest expire:
                WriteNamespace(ref json, ref first, expire.Namespace);
                Number(ref json, ref first, "expiry"u8, expire.Expiry);
                break;
            case ExpireRequest expire:
                WriteMessages(ref json, ref first, expire.Messages);
                Name(ref json, ref first, "expiry"u8);
                WriteNumbers(ref json, expire.Expiries);
                Flag(ref json, ref first, "shorten"u8, expire.Shorten);
                Flag(ref json, ref first, "extend"u8, expire.Extend);
                break;
            case RevocationRequest revocation:
                WriteRevocation(ref json, ref first, revocation);
                break;
            case GetSwarmRequest swarm:
                Name(ref json, ref first, "pubkey"u8);
                json.Text(swarm.Account.ToString());
                break;
            case OxendRequest oxend:
                Name(ref json, ref first, "endpoint"u8);
                json.Text(oxend.Endpoint);
                if (!oxend.ParametersJson.IsEmpty)
                {
                    Name(ref json, ref first, "params"u8);
                    json.Raw(oxend.ParametersJson.Span);
                }

                break;
            case RequestList list:
                WriteRequests(ref json, ref first, list.Requests);
                break;
            case IfElseRequest ifElse:
                WriteIfElse(ref json, ref first, ifElse);
                break;
            case InfoRequest:
                break;
            default:
                throw new UnreachableException();
        }
    }

    private static void WriteAccount(ref Utf8Output json, ref bool first, AccountRequest request)
    {
        Name(ref json, ref first, "pubkey"u8);
        json.Text(request.Account.ToString());
        if (request.Authentication is not { } authentication)
            return;
        Name(ref json, ref first, "signature"u8);
        json.Base64(authentication.Signature.AsSpan());
        if (authentication.Ed25519Key is { } key)
        {
            Name(ref json, ref first, "pubkey_ed25519"u8);
            json.Hex(key.AsSpan());
        }

        if (authentication.Subaccount is { } subaccount)
        {
            Name(ref json, ref first, "subaccount"u8);
            json.Base64(subaccount.Token.AsSpan());
            Name(ref json, ref first, "subaccount_sig"u8);
            json.Base64(subaccount.Signature.AsSpan());
        }
    }

    private static void WriteStore(ref Utf8Output json, ref bool first, StoreRequest store)
    {
        WriteNamespace(ref json, ref first, NamespaceSelector.Of(store.Namespace));
        Number(ref json, ref first, "timestamp"u8, store.Timestamp);
        var ttl = (Int128)store.Expiry - store.Timestamp;
        if (ttl >= 0 && ttl <= long.MaxValue)
            Number(ref json, ref first, "ttl"u8, (long)ttl);
        else
            Number(ref json, ref first, "expiry"u8, store.Expiry);
        if (store.SignatureTimestamp is { } time)
            Number(ref json, ref first, "sig_timestamp"u8, time);
        Name(ref json, ref first, "data"u8);
        json.Base64(store.Data.Span);
    }

    private static void WriteRetrieve(ref Utf8Output json, ref bool first, RetrieveRequest retrieve)
    {
        WriteNamespace(ref json, ref first, NamespaceSelector.Of(retrieve.Namespace));
        if (retrieve.LastHash is { } hash)
        {
            Name(ref json, ref first, "last_hash"u8);
            json.Hash(hash);
        }

        if (retrieve.MaxCount is { } count)
            Number(ref json, ref first, "max_count"u8, count);
        if (retrieve.MaxSize is { } size)
            Number(ref json, ref first, "max_size"u8, size);
        if (retrieve.Authentication is not null)
            Number(ref json, ref first, "timestamp"u8, retrieve.Timestamp);
    }

    private static void WriteRevocation(ref Utf8Output json, ref bool first, RevocationRequest revocation)
    {
        Name(ref json, ref first, revocation is RevokeSubaccountRequest ? "revoke"u8 : "unrevoke"u8);
        json.Raw("["u8);
        for (var i = 0; i < revocation.Tokens.Length; i++)
        {
            if (i > 0)
                json.Raw(","u8);
            json.Base64(revocation.Tokens.ItemRef(i).AsSpan());
        }

        json.Raw("]"u8);
        Number(ref json, ref first, "timestamp"u8, revocation.Timestamp);
    }

    private static void WriteRequests(ref Utf8Output json, ref bool first, ImmutableArray<StorageRequest> requests)
    {
        Name(ref json, ref first, "requests"u8);
        json.Raw("["u8);
        for (var i = 0; i < requests.Length; i++)
        {
            if (i > 0)
                json.Raw(","u8);
            WriteEnvelope(ref json, requests[i]);
        }

        json.Raw("]"u8);
    }

    private static void WriteIfElse(ref Utf8Output json, ref bool first, IfElseRequest request)
    {
        var (condition, firstCondition) = (request.Condition, true);
        Name(ref json, ref first, "if"u8);
        json.Raw("{"u8);
        if (condition.HeightAtLeast is { } from)
            Number(ref json, ref firstCondition, "height_at_least"u8, from);
        if (condition.HeightBefore is { } to)
            Number(ref json, ref firstCondition, "height_before"u8, to);
        WriteNumbers(ref json, ref firstCondition, "hf_at_least"u8, condition.HardForkAtLeast);
        WriteNumbers(ref json, ref firstCondition, "hf_before"u8, condition.HardForkBefore);
        WriteNumbers(ref json, ref firstCondition, "v_at_least"u8, condition.VersionAtLeast);
        WriteNumbers(ref json, ref firstCondition, "v_before"u8, condition.VersionBefore);
        json.Raw("}"u8);
        if (request.Then is { } then)
        {
            Name(ref json, ref first, "then"u8);
            WriteEnvelope(ref json, then);
        }

        if (request.Else is { } otherwise)
        {
            Name(ref json, ref first, "else"u8);
            WriteEnvelope(ref json, otherwise);
        }
    }

    private static void WriteMessages(ref Utf8Output json, ref bool first, ImmutableArray<MessageHashText> messages)
    {
        Name(ref json, ref first, "messages"u8);
        json.Raw("["u8);
        for (var i = 0; i < messages.Length; i++)
        {
            if (i > 0)
                json.Raw(","u8);
            json.Text(messages[i].Utf8.Span);
        }

        json.Raw("]"u8);
    }

    // 0 is left out: it is what a missing one means, and an anonymous retrieve must not name a namespace that needs a signature.
    private static void WriteNamespace(ref Utf8Output json, ref bool first, NamespaceSelector selector)
    {
        if (selector.IsAll)
        {
            Name(ref json, ref first, "namespace"u8);
            json.Text("all"u8);
        }
        else if (selector.Namespace != 0)
        {
            Number(ref json, ref first, "namespace"u8, selector.Namespace);
        }
    }

    private static void WriteNumbers(ref Utf8Output json, ref bool first, scoped ReadOnlySpan<byte> name, ImmutableArray<long> numbers)
    {
        if (numbers.IsEmpty)
            return;
        Name(ref json, ref first, name);
        WriteNumbers(ref json, numbers);
    }

    private static void WriteNumbers(ref Utf8Output json, ImmutableArray<long> numbers)
    {
        json.Raw("["u8);
        for (var i = 0; i < numbers.Length; i++)
        {
            if (i > 0)
                json.Raw(","u8);
            json.Number(numbers[i]);
        }

        json.Raw("]"u8);
    }

    private static void Flag(ref Utf8Output json, ref bool first, scoped ReadOnlySpan<byte> name, bool value)
    {
        if (!value)
            return;
        Name(ref json, ref first, name);
        json.Boolean(value);
    }

    private static void Number(ref Utf8Output json, ref bool first, scoped ReadOnlySpan<byte> name, long value)
    {
        Name(ref json, ref first, name);
        json.Number(value);
    }

    private static void Name(ref Utf8Output json, ref bool first, scoped ReadOnlySpan<byte> name)
    {
        if (!first)
            json.Raw(","u8);
        first = false;
        json.Text(name);
        json.Raw(":"u8);
    }
}
