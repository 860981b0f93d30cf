using System.Collections.Immutable;
using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Deletes messages by their hashes (storage-rpc.md, 10).</summary>
public sealed record DeleteRequest : AccountRequest
{
    private const int List = 0, Pubkey = 1, Ed25519 = 2, MustExist = 3, Sig = 4, Subaccount = 5, SubaccountSig = 6;

    /// <inheritdoc/>
    public override string Method => "delete";

    /// <inheritdoc/>
    public override bool IsSwarmWide => true;

    /// <summary>The hashes, in request order; at least one, all well formed.</summary>
    public required ImmutableArray<MessageHashText> Messages { get; init; }

    /// <summary>True: the status is 404 if no member deleted anything.</summary>
    public bool Required { get; init; }

    internal static RequestTableEntry Entry { get; } = new(
        "delete",
        [
            new("messages", FieldKind.TextList),
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("required", FieldKind.Boolean),
            new("signature", FieldKind.Text),
            new("subaccount", FieldKind.Text),
            new("subaccount_sig", FieldKind.Text),
        ],
        Create);

    // The reference's text has another name for the method.
    private protected override StorageError SignatureError => new(401, "delete_msgs signature verification failed");

    private protected override int SignedTextCapacity => "delete".Length + SignedText.LengthOf(Messages.AsSpan());

    /// <inheritdoc/>
    public override StorageError? Check(in ServerClock clock) => CheckSignature(SubaccountFlags.Delete);

    private protected override void FormatSignedText(ref SignedText text)
    {
        text.Add("delete"u8);
        text.Add(Messages.AsSpan());
    }

    private static DeleteRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Pubkey))
            return null;
        var account = fields.Account(Pubkey, options);
        var authentication = fields.Authentication(account, Ed25519, Sig, Subaccount, SubaccountSig);
        var messages = fields.MessageHashes(List, checkForm: true);
        return fields.Failed ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Messages = messages,
            Required = fields.Boolean(MustExist),
        };
    }
}
