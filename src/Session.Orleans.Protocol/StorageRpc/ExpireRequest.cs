using System.Collections.Immutable;
using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>How <c>expire</c> changes a stored expiry.</summary>
public enum ExpireMode
{
    /// <summary>Sets it; every message found counts as updated.</summary>
    Set,

    /// <summary>Only if the stored one is later.</summary>
    Shorten,

    /// <summary>Only if the stored one is earlier.</summary>
    Extend,
}

/// <summary>Changes when messages expire (storage-rpc.md, 11).</summary>
public sealed record ExpireRequest : AccountRequest
{
    private const int Times = 0, ExtendFlag = 1, List = 2, Pubkey = 3, Ed25519 = 4, ShortenFlag = 5, Sig = 6, Subaccount = 7, SubaccountSig = 8;

    /// <inheritdoc/>
    public override string Method => "expire";

    /// <inheritdoc/>
    public override bool IsSwarmWide => true;

    /// <summary>The hashes, in request order; at least one, all well formed.</summary>
    public required ImmutableArray<MessageHashText> Messages { get; init; }

    /// <summary>Unix milliseconds, as signed: one for all messages, or one per message. Use <see cref="ExpiryOf"/> for the values to set.</summary>
    public required ImmutableArray<long> Expiries { get; init; }

    /// <summary><c>shorten</c> was true.</summary>
    public bool Shorten { get; init; }

    /// <summary><c>extend</c> was true.</summary>
    public bool Extend { get; init; }

    /// <summary>What to do: as asked, except that a subaccount without Delete may only extend.</summary>
    public ExpireMode Mode => Shorten ? ExpireMode.Shorten
        : Extend || Authentication?.Subaccount is { } subaccount && !subaccount.Token.Allows(SubaccountFlags.Delete) ? ExpireMode.Extend
        : ExpireMode.Set;

    /// <summary>True if the reply lists messages that were found and not changed: <c>shorten</c> or <c>extend</c> was asked for.</summary>
    public bool ReportsUnchanged => Shorten || Extend;

    /// <summary>The expiry for message <paramref name="index"/>, no later than 30 days from <paramref name="nowMs"/>.</summary>
    public long ExpiryOf(int index, long nowMs) => Math.Min(Expiries[Expiries.Length == 1 ? 0 : index], nowMs + StorageLimits.MaxTtlMs);

    /// <inheritdoc/>
    public override TokenCheck? TokenCheck => base.TokenCheck is { } check
        ? check with
        {
            WhenValid = Shorten && !check.Token.Allows(SubaccountFlags.Delete)
                ? new StorageError(400, "expire: shorten parameter cannot be used with this subaccount token (missing delete access)")
                : null,
        }
        : null;

    internal static RequestTableEntry Entry { get; } = new(
        "expire",
        [
            new("expiry", FieldKind.TimestampList),
            new("extend", FieldKind.Boolean),
            new("messages", FieldKind.TextList),
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("shorten", FieldKind.Boolean),
            new("signature", FieldKind.Text),
            new("subaccount", FieldKind.Text),
            new("subaccount_sig", FieldKind.Text),
        ],
        Create);

    private protected override StorageError SignatureError => new(401, "expire: signature verification failed");

    private protected override int SignedTextCapacity =>
        "expireshorten".Length + (Expiries.Length * SignedText.MaxNumberLength) + SignedText.LengthOf(Messages.AsSpan());

    /// <inheritdoc/>
    public override StorageError? Check(in ServerClock clock)
    {
        foreach (var expiry in Expiries)
        {
            if (expiry < clock.NowMs - StorageLimits.SignatureToleranceMs)
                return new(401, "expire: timestamp should be >= current time");
        }

        if (Expiries.Length > 1 && clock.HardFork < HardFork.MultiExpiry)
            return new(403, "expire: multi-expiry requests are not yet active on the network");
        return CheckSignature(SubaccountFlags.Write);
    }

    private protected override void FormatSignedText(ref SignedText text)
    {
        text.Add("expire"u8);
        if (Shorten)
            text.Add("shorten"u8);
        else if (Extend)
            text.Add("extend"u8);
        foreach (var expiry in Expiries)
            text.Add(expiry);
        text.Add(Messages.AsSpan());
    }

    private static ExpireRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Pubkey))
            return null;
        var account = fields.Account(Pubkey, options);
        var authentication = fields.Authentication(account, Ed25519, Sig, Subaccount, SubaccountSig);
        if (fields.Failed || !fields.Require(Times))
            return null;
        var expiries = fields.IntegerList(Times);
        if (expiries.IsEmpty)
            fields.Fail("'expiry' does not contain any expiration timestamps");
        var (shorten, extend) = (fields.Boolean(ShortenFlag), fields.Boolean(ExtendFlag));
        if (shorten && extend)
            fields.Fail("cannot specify both 'shorten' and 'extend'");
        var messages = fields.MessageHashes(List, checkForm: true);
        if (expiries.Length != 1 && expiries.Length != messages.Length)
            fields.Fail("'expiry' must be a single expiry, or the same length as 'messages'");
        return fields.Failed ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Messages = messages,
            Expiries = expiries,
            Shorten = shorten,
            Extend = extend,
        };
    }
}
