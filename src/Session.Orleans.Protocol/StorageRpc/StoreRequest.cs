using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Stores one message (storage-rpc.md, 8). Storing the same data again is safe: the hash is the same, the later expiry wins.</summary>
public sealed record StoreRequest : AccountRequest
{
    private const int Data64 = 0, ExpiryTime = 1, NamespaceNumber = 2, PubKey = 3, Pubkey = 4, Ed25519 = 5, SigTimestamp = 6,
        Sig = 7, Subaccount = 8, SubaccountSig = 9, Time = 10, Ttl = 11;

    /// <inheritdoc/>
    public override string Method => "store";

    /// <inheritdoc/>
    public override bool IsSwarmWide => true;

    /// <summary>The sender's time, Unix milliseconds; any 64-bit number until <see cref="Check"/> has passed.</summary>
    public required long Timestamp { get; init; }

    /// <summary>When the message expires, Unix milliseconds: as given, or <see cref="Timestamp"/> plus <c>ttl</c>.</summary>
    public required long Expiry { get; init; }

    /// <summary>The decoded message, 0..76800 bytes.</summary>
    public required ReadOnlyMemory<byte> Data { get; init; }

    /// <summary>The namespace; 0 if not given.</summary>
    public short Namespace { get; init; }

    /// <summary><c>sig_timestamp</c>, Unix milliseconds: the time that is signed. Null if not given: then it is <see cref="Timestamp"/>.</summary>
    public long? SignatureTimestamp { get; init; }

    /// <summary>The message's hash.</summary>
    public MessageHash ComputeHash() => MessageHash.Compute(Account, Namespace, Data.Span);

    /// <inheritdoc/>
    public override TokenCheck? TokenCheck => Namespaces.IsPublicInbox(Namespace) ? null : base.TokenCheck;

    internal static RequestTableEntry Entry { get; } = new(
        "store",
        [
            new("data", FieldKind.Text),
            new("expiry", FieldKind.Timestamp),
            new("namespace", FieldKind.Namespace),
            new("pubKey", FieldKind.Text),
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("sig_timestamp", FieldKind.Timestamp),
            new("signature", FieldKind.Text),
            new("subaccount", FieldKind.Text),
            new("subaccount_sig", FieldKind.Text),
            new("timestamp", FieldKind.IntegerOrDecimal),
            new("ttl", FieldKind.UnsignedOrDecimal),
        ],
        Create);

    private protected override StorageError SignatureError => new(401, "store signature verification failed");

    private protected override int SignedTextCapacity => "store".Length + (2 * SignedText.MaxNumberLength);

    /// <inheritdoc/>
    public override StorageError? Check(in ServerClock clock)
    {
        // 128 bits: both times are the client's and may be anything.
        var ttl = (Int128)Expiry - Timestamp;
        if (ttl < StorageLimits.MinTtlMs || ttl > Namespaces.MaxTtlMs(Namespace))
            return new(403, "Provided expiry/TTL is not valid.");
        if (Timestamp > clock.NowMs + StorageLimits.StoreToleranceMs || Expiry < clock.NowMs - StorageLimits.StoreToleranceMs)
            return new(406, "Timestamp error: check your clock");
        if (Namespaces.IsPublicInbox(Namespace))
            return null;
        if (Authentication is null)
            return new(401, $"store: signature required to store to namespace {NamespaceSelector.Of(Namespace)}");
        if (!clock.IsWithin(SignatureTimestamp ?? Timestamp, StorageLimits.SignatureToleranceMs))
            return new(406, "store signature timestamp too far from current time");
        return CheckSignature(Namespaces.IsPublicOutbox(Namespace)
            ? SubaccountFlags.Write | SubaccountFlags.Delete
            : SubaccountFlags.Write);
    }

    private protected override void FormatSignedText(ref SignedText text)
    {
        text.Add("store"u8);
        text.Add(NamespaceSelector.Of(Namespace));
        text.Add(SignatureTimestamp ?? Timestamp);
    }

    private static StoreRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Time) || fields.IntegerOrDecimal(Time) is not { } timestamp
            || fields.RequireOne(ExpiryTime, Ttl, "'expiry' or 'ttl'") is < 0)
            return null;
        var expiry = fields.Has(ExpiryTime) ? fields.Timestamp(ExpiryTime) : EndOf(timestamp, fields.UnsignedOrDecimal(Ttl));
        if (fields.Failed || fields.RequireOne(Pubkey, PubKey, "'pubkey'") is not (>= 0 and var pubkey))
            return null;
        var account = fields.Account(pubkey, options);
        if (fields.Failed)
            return null;
        var authentication = fields.Has(Sig) ? fields.Authentication(account, Ed25519, Sig, Subaccount, SubaccountSig) : null;
        if (fields.Failed || !fields.Require(Data64))
            return null;
        var data = fields.Form is RequestForm.Bencode ? CopyData(ref fields) : DecodeData(ref fields);
        return fields.Failed ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Timestamp = timestamp,
            Expiry = expiry.GetValueOrDefault(),
            Data = data,
            Namespace = fields.Namespace(NamespaceNumber) ?? 0,
            SignatureTimestamp = fields.Timestamp(SigTimestamp),
        };
    }

    private static byte[] DecodeData(ref ParameterFields fields)
    {
        var base64 = fields.Text(Data64);
        var length = Base64Text.DecodedLength(base64);
        if (length < 0)
            fields.Fail("Invalid 'data' value: not base64 encoded");
        else if (base64.Length > StorageLimits.MaxMessageBase64Length)
            fields.Fail(TooLong);
        if (fields.Failed || length == 0)
            return [];
        var data = GC.AllocateUninitializedArray<byte>(length);
        Base64Text.Decode(base64, data);
        return data;
    }

    private static byte[] CopyData(ref ParameterFields fields)
    {
        var data = fields.Text(Data64);
        if (data.Length > StorageLimits.MaxMessageBytes)
            fields.Fail(TooLong);
        return fields.Failed ? [] : data.ToArray();
    }

    private const string TooLong = "Message body exceeds maximum allowed length of 76800 bytes";

    // A sum beyond 64 bits is far from any legal time to live, and so is the largest number.
    private static long? EndOf(long timestamp, ulong? ttl) => ttl is { } span ? (long)Int128.Min(timestamp + (Int128)span, long.MaxValue) : null;
}
