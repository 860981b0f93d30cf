using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Reads the messages of one namespace (storage-rpc.md, 9).</summary>
public sealed record RetrieveRequest : AccountRequest
{
    private const int LastHashAlias = 0, LastHashText = 1, Count = 2, Size = 3, NamespaceNumber = 4, PubKey = 5, Pubkey = 6, Ed25519 = 7,
        Sig = 8, Subaccount = 9, SubaccountSig = 10, Time = 11;

    /// <inheritdoc/>
    public override string Method => "retrieve";

    /// <inheritdoc/>
    public override bool IsSwarmWide => false;

    /// <summary>The namespace; 0 if not given.</summary>
    public short Namespace { get; init; }

    /// <summary>
    /// Only messages after this one are wanted. Null for all of them: not given, or well formed but not the spelling of any hash, which is
    /// the same, because an unknown hash starts from the beginning.
    /// </summary>
    public MessageHash? LastHash { get; init; }

    /// <summary><c>max_count</c>; null, 0 or less if there is no such limit.</summary>
    public int? MaxCount { get; init; }

    /// <summary><c>max_size</c>: bytes by the formula of <see cref="RetrievePage"/>, or -k for a k-th of the largest; null or 0 if not given.</summary>
    public int? MaxSize { get; init; }

    /// <summary>The signed time, Unix milliseconds; 0 in an anonymous request.</summary>
    public long Timestamp { get; init; }

    /// <inheritdoc/>
    public override TokenCheck? TokenCheck => Namespaces.IsUnrevocable(Namespace) ? null : base.TokenCheck;

    internal static RequestTableEntry Entry { get; } = new(
        "retrieve",
        [
            new("lastHash", FieldKind.Text),
            new("last_hash", FieldKind.Text),
            new("max_count", FieldKind.Integer),
            new("max_size", FieldKind.Integer),
            new("namespace", FieldKind.Namespace),
            new("pubKey", FieldKind.Text),
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("signature", FieldKind.Text),
            new("subaccount", FieldKind.Text),
            new("subaccount_sig", FieldKind.Text),
            new("timestamp", FieldKind.Timestamp),
        ],
        Create);

    private protected override StorageError SignatureError => new(401, "retrieve signature verification failed");

    private protected override int SignedTextCapacity => "retrieve".Length + (2 * SignedText.MaxNumberLength);

    /// <inheritdoc/>
    public override StorageError? Check(in ServerClock clock)
    {
        if (Authentication is null)
        {
            return Namespaces.RequiresSignatureToRetrieve(Namespace) ? new(401, "retrieve: request signature required") : null;
        }

        if (!clock.IsWithin(Timestamp, StorageLimits.SignatureToleranceMs))
            return new(406, "retrieve timestamp too far from current time");
        return CheckSignature(SubaccountFlags.Read);
    }

    private protected override void FormatSignedText(ref SignedText text)
    {
        text.Add("retrieve"u8);
        text.Add(NamespaceSelector.Of(Namespace));
        text.Add(Timestamp);
    }

    private static RetrieveRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (fields.RequireOne(Pubkey, PubKey, "'pubkey'") is not (>= 0 and var pubkey))
            return null;
        var account = fields.Account(pubkey, options);
        var ns = fields.Namespace(NamespaceNumber);
        RequestAuthentication? authentication = null;
        if (fields.Has(Ed25519) || fields.Has(Sig) || fields.Has(Time) || (ns is { } given && Namespaces.RequiresSignatureToRetrieve(given)))
        {
            authentication = fields.Authentication(account, Ed25519, Sig, Subaccount, SubaccountSig);
            if (fields.Failed || !fields.Require(Time))
                return null;
        }

        if (fields.Has(LastHashAlias) && fields.Has(LastHashText))
            fields.Fail("Cannot specify both 'last_hash' and 'lastHash'");
        var lastHash = fields.Text(fields.Has(LastHashText) ? LastHashText : LastHashAlias);
        if (!lastHash.IsEmpty)
        {
            if (lastHash.Length != MessageHash.TextLength)
                fields.Fail("Invalid last_hash: expected base64 (43 chars)");
            else if (Base64Text.DecodedLength(lastHash) < 0)
                fields.Fail("Invalid last_hash: not base64");
        }

        return fields.Failed ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Namespace = ns ?? 0,
            LastHash = MessageHash.TryParse(lastHash, out var hash) ? hash : null,
            MaxCount = ToInt32(fields.Integer(Count)),
            MaxSize = ToInt32(fields.Integer(Size)),
            Timestamp = fields.Timestamp(Time) ?? 0,
        };
    }

    private static int? ToInt32(long? value) => (int?)(value is { } number ? Math.Clamp(number, int.MinValue, int.MaxValue) : value);
}
