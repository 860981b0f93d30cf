using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Brings forward the expiry of every message of a namespace, or of all; it never extends one (storage-rpc.md, 11).</summary>
public sealed record ExpireAllRequest : AccountRequest
{
    private const int Time = 0, NamespaceNumber = 1, Pubkey = 2, Ed25519 = 3, Sig = 4, Subaccount = 5, SubaccountSig = 6;

    /// <inheritdoc/>
    public override string Method => "expire_all";

    /// <inheritdoc/>
    public override bool IsSwarmWide => true;

    /// <summary>The latest expiry a message keeps, Unix milliseconds.</summary>
    public required long Expiry { get; init; }

    /// <summary>The namespace, or all; 0 if not given.</summary>
    public NamespaceSelector Namespace { get; init; }

    internal static RequestTableEntry Entry { get; } = new(
        "expire_all",
        [
            new("expiry", FieldKind.Timestamp),
            new("namespace", FieldKind.NamespaceOrAll),
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("signature", FieldKind.Text),
            new("subaccount", FieldKind.Text),
            new("subaccount_sig", FieldKind.Text),
        ],
        Create);

    private protected override StorageError SignatureError => new(401, "expire_all signature verification failed");

    private protected override int SignedTextCapacity => "expire_all".Length + (2 * SignedText.MaxNumberLength);

    /// <inheritdoc/>
    public override StorageError? Check(in ServerClock clock) => Expiry >= clock.NowMs - clock.RepeatedToleranceMs
        ? CheckSignature(SubaccountFlags.Delete)
        : new(406, "expire_all timestamp should be >= current time");

    private protected override void FormatSignedText(ref SignedText text)
    {
        text.Add("expire_all"u8);
        text.Add(Namespace);
        text.Add(Expiry);
    }

    private static ExpireAllRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Pubkey))
            return null;
        var account = fields.Account(Pubkey, options);
        var authentication = fields.Authentication(account, Ed25519, Sig, Subaccount, SubaccountSig);
        return fields.Failed || !fields.Require(Time) ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Expiry = fields.Timestamp(Time).GetValueOrDefault(),
            Namespace = fields.NamespaceOrAll(NamespaceNumber),
        };
    }
}
