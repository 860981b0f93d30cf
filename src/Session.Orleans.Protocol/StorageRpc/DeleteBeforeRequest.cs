using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Deletes the messages whose time is not after a given one (storage-rpc.md, 10).</summary>
public sealed record DeleteBeforeRequest : AccountRequest
{
    private const int Time = 0, NamespaceNumber = 1, Pubkey = 2, Ed25519 = 3, Sig = 4, Subaccount = 5, SubaccountSig = 6;

    /// <inheritdoc/>
    public override string Method => "delete_before";

    /// <inheritdoc/>
    public override bool IsSwarmWide => true;

    /// <summary>Messages with a timestamp up to this go, Unix milliseconds.</summary>
    public required long Before { get; init; }

    /// <summary>The namespace, or all; 0 if not given.</summary>
    public NamespaceSelector Namespace { get; init; }

    internal static RequestTableEntry Entry { get; } = new(
        "delete_before",
        [
            new("before", FieldKind.Timestamp),
            new("namespace", FieldKind.NamespaceOrAll),
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("signature", FieldKind.Text),
            new("subaccount", FieldKind.Text),
            new("subaccount_sig", FieldKind.Text),
        ],
        Create);

    private protected override StorageError SignatureError => new(401, "delete_before signature verification failed");

    private protected override int SignedTextCapacity => "delete_before".Length + (2 * SignedText.MaxNumberLength);

    /// <inheritdoc/>
    public override StorageError? Check(in ServerClock clock) => Before <= clock.NowMs + StorageLimits.SignatureToleranceMs
        ? CheckSignature(SubaccountFlags.Delete)
        : new(401, "delete_before timestamp too far in the future");

    private protected override void FormatSignedText(ref SignedText text)
    {
        text.Add("delete_before"u8);
        text.Add(Namespace);
        text.Add(Before);
    }

    private static DeleteBeforeRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Pubkey))
            return null;
        var account = fields.Account(Pubkey, options);
        var authentication = fields.Authentication(account, Ed25519, Sig, Subaccount, SubaccountSig);
        return fields.Failed || !fields.Require(Time) ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Before = fields.Timestamp(Time).GetValueOrDefault(),
            Namespace = fields.NamespaceOrAll(NamespaceNumber),
        };
    }
}
