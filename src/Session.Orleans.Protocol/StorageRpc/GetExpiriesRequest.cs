using System.Collections.Immutable;
using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Asks when messages expire (storage-rpc.md, 9).</summary>
public sealed record GetExpiriesRequest : AccountRequest
{
    private const int List = 0, Pubkey = 1, Ed25519 = 2, Sig = 3, Subaccount = 4, SubaccountSig = 5, Time = 6;

    /// <inheritdoc/>
    public override string Method => "get_expiries";

    /// <inheritdoc/>
    public override bool IsSwarmWide => false;

    /// <summary>The hashes asked for, in request order; at least one. Their form is not checked.</summary>
    public required ImmutableArray<MessageHashText> Messages { get; init; }

    /// <summary>The signed time, Unix milliseconds.</summary>
    public required long Timestamp { get; init; }

    internal static RequestTableEntry Entry { get; } = new(
        "get_expiries",
        [
            new("messages", FieldKind.TextList),
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("signature", FieldKind.Text),
            new("subaccount", FieldKind.Text),
            new("subaccount_sig", FieldKind.Text),
            new("timestamp", FieldKind.Timestamp),
        ],
        Create);

    private protected override StorageError SignatureError => new(401, "get_expiries signature verification failed");

    private protected override int SignedTextCapacity =>
        "get_expiries".Length + SignedText.MaxNumberLength + SignedText.LengthOf(Messages.AsSpan());

    /// <inheritdoc/>
    public override StorageError? Check(in ServerClock clock) => clock.IsWithin(Timestamp, StorageLimits.SignatureToleranceMs)
        ? CheckSignature(SubaccountFlags.Read)
        : new(406, "get_expiries timestamp too far from current time");

    private protected override void FormatSignedText(ref SignedText text)
    {
        text.Add("get_expiries"u8);
        text.Add(Timestamp);
        text.Add(Messages.AsSpan());
    }

    private static GetExpiriesRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Pubkey))
            return null;
        var account = fields.Account(Pubkey, options);
        var authentication = fields.Authentication(account, Ed25519, Sig, Subaccount, SubaccountSig);
        var messages = fields.MessageHashes(List, checkForm: false);
        return fields.Failed || !fields.Require(Time) ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Messages = messages,
            Timestamp = fields.Timestamp(Time).GetValueOrDefault(),
        };
    }
}
