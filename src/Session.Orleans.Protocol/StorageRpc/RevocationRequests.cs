using System.Collections.Immutable;
using Session.Orleans.Protocol.StorageRpc.Parsing;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// A change of the account's revocation list (storage-rpc.md, 12). Only the account itself may make one: subaccount parameters are ignored.
/// </summary>
public abstract record RevocationRequest : AccountRequest
{
    private protected RevocationRequest()
    {
    }

    /// <inheritdoc/>
    public sealed override bool IsSwarmWide => true;

    /// <summary>The tokens, in request order.</summary>
    public required ImmutableArray<SubaccountToken> Tokens { get; init; }

    /// <summary>The signed time, Unix milliseconds. The time of a revocation is the member's own, not this.</summary>
    public required long Timestamp { get; init; }

    /// <summary>Null: no subaccount can sign this.</summary>
    public sealed override TokenCheck? TokenCheck => null;

    private protected sealed override StorageError SignatureError => new(401, Method + " signature verification failed");

    private protected sealed override int SignedTextCapacity =>
        Method.Length + SignedText.MaxNumberLength + (Tokens.Length * SubaccountToken.Length);

    /// <inheritdoc/>
    public sealed override StorageError? Check(in ServerClock clock)
    {
        if (!clock.IsWithin(Timestamp, StorageLimits.SignatureToleranceMs))
            return new(406, Method + " timestamp too far from current time");
        return Authentication?.Subaccount is null ? CheckSignature(SubaccountFlags.None) : SignatureError;
    }

    private protected sealed override void FormatSignedText(ref SignedText text)
    {
        text.Add(this is RevokeSubaccountRequest ? "revoke_subaccount"u8 : "unrevoke_subaccount"u8);
        text.Add(Timestamp);
        foreach (var token in Tokens)
            text.Add(token.AsSpan());
    }

    private protected static ImmutableArray<SubaccountToken> ReadTokens(ref ParameterFields fields, int field, string name, int limit)
    {
        if (fields.Failed || !fields.Require(field))
            return [];
        var texts = fields.TextList(field);
        if (texts.Length > limit)
            fields.Fail($"invalid {name}: cannot revoke more than {limit} subaccounts at once");
        var tokens = ImmutableArray.CreateBuilder<SubaccountToken>(texts.Length);
        foreach (var text in texts)
        {
            if (!fields.TryReadToken(text.Span, out var token))
                fields.Fail($"invalid {name}: expected base64 or hex-encoded subaccount tag");
            if (fields.Failed)
                return [];
            tokens.Add(token);
        }

        return tokens.DrainToImmutable();
    }
}

/// <summary>Revokes up to 50 tokens; the 50 most recent of an account count.</summary>
public sealed record RevokeSubaccountRequest : RevocationRequest
{
    private const int Pubkey = 0, Ed25519 = 1, List = 2, Sig = 3, Time = 4;

    /// <inheritdoc/>
    public override string Method => "revoke_subaccount";

    internal static RequestTableEntry Entry { get; } = new(
        "revoke_subaccount",
        [
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("revoke", FieldKind.TextList),
            new("signature", FieldKind.Text),
            new("timestamp", FieldKind.Timestamp),
        ],
        Create);

    private static RevokeSubaccountRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Pubkey))
            return null;
        var account = fields.Account(Pubkey, options);
        var authentication = fields.Authentication(account, Ed25519, Sig, -1, -1);
        var tokens = ReadTokens(ref fields, List, "revoke", StorageLimits.MaxRevocationsPerRequest);
        return fields.Failed || !fields.Require(Time) ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Tokens = tokens,
            Timestamp = fields.Timestamp(Time).GetValueOrDefault(),
        };
    }
}

/// <summary>Takes tokens off the revocation list, any number of them.</summary>
public sealed record UnrevokeSubaccountRequest : RevocationRequest
{
    private const int Pubkey = 0, Ed25519 = 1, Sig = 2, Time = 3, List = 4;

    /// <inheritdoc/>
    public override string Method => "unrevoke_subaccount";

    internal static RequestTableEntry Entry { get; } = new(
        "unrevoke_subaccount",
        [
            new("pubkey", FieldKind.Text),
            new("pubkey_ed25519", FieldKind.Text),
            new("signature", FieldKind.Text),
            new("timestamp", FieldKind.Timestamp),
            new("unrevoke", FieldKind.TextList),
        ],
        Create);

    private static UnrevokeSubaccountRequest? Create(ref ParameterFields fields, in StorageParseOptions options)
    {
        if (!fields.Require(Pubkey))
            return null;
        var account = fields.Account(Pubkey, options);
        var authentication = fields.Authentication(account, Ed25519, Sig, -1, -1);
        var tokens = ReadTokens(ref fields, List, "unrevoke", int.MaxValue);
        return fields.Failed || !fields.Require(Time) ? null : new()
        {
            Account = account,
            Authentication = authentication,
            Tokens = tokens,
            Timestamp = fields.Timestamp(Time).GetValueOrDefault(),
        };
    }
}
