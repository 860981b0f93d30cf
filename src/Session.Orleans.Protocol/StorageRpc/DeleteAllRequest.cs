using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Deletes every message of a namespace, or of all (storage-rpc.md, 10).</summary>
public sealed record DeleteAllRequest : AccountRequest
{
    private const int NamespaceNumber = 0, Pubkey = 1, Ed25519 = 2, Sig = 3, Subaccount = 4, SubaccountSig = 5, Time = 6;

    /// <inheritdoc/>
    public override string Method => "delete_all";

    /// <inheritdoc/>
    public override bool IsSwarmWide => true;

    /// <summary>The signed time, Unix milliseconds.</summary>
    public required long Timestamp { get; init; }

    /// <summary>The namespace, or all; 0 if not given.</summary>
    public NamespaceSelector Namespace { get; init; }

    internal static RequestTableEntry Entry { get; } = new(
        "delete_all",
        [
            new("namespace", FieldKind.NamespaceOrAll),
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("signature", FieldKind.Text),
            new("subaccount", FieldKind.Text),
            new("subaccount_sig", FieldKind.Text),
            new("timestamp", FieldKind.Timestamp),
        ],
        Create);

    private protected override StorageError SignatureError => new(401, "delete_all signature verification failed");

    private protected override int SignedTextCapacity => "delete_all".Length + (2 * SignedText.MaxNumberLength);

    /// <inheritdoc/>
    public override StorageError? Check(in ServerClock clock) => clock.IsWithin(Timestamp, clock.RepeatedToleranceMs)
        ? CheckSignature(SubaccountFlags.Delete)
        : new(406, "delete_all timestamp too far from current time");

    private protected override void FormatSignedText(ref SignedText text)
    {
        text.Add("delete_all"u8);
        text.Add(Namespace);
        text.Add(Timestamp);
    }

    private static DeleteAllRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Pubkey))
            return null;
        var account = fields.Account(Pubkey, options);
        var authentication = fields.Authentication(account, Ed25519, Sig, Subaccount, SubaccountSig);
        return fields.Failed || !fields.Require(Time) ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Timestamp = fields.Timestamp(Time).GetValueOrDefault(),
            Namespace = fields.NamespaceOrAll(NamespaceNumber),
        };
    }
}
