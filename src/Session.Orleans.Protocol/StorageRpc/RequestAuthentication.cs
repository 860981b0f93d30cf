using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>The signature fields of a request (storage-rpc.md, 3.1), well formed but not yet verified.</summary>
/// <param name="Signature">Signature of the method's signed text.</param>
/// <param name="Ed25519Key"><c>pubkey_ed25519</c>: the key whose X25519 form is the Session ID. Null if not given.</param>
/// <param name="Subaccount">Token and its signature. Null if the account itself signs, or the method takes no subaccount.</param>
public sealed record RequestAuthentication(
    RequestSignature Signature, Ed25519PublicKey? Ed25519Key = null, SubaccountCredential? Subaccount = null);

/// <summary>
/// A verified token that the account may have revoked since: the last check, made where the revocation list is (storage-rpc.md, 3.3).
/// </summary>
/// <param name="Token">The token to look up.</param>
/// <param name="WhenRevoked">The answer if it is on the account's list.</param>
/// <param name="WhenValid">The answer if it is not: null to go on, or the refusal that comes after revocation in the order of checks.</param>
public readonly record struct TokenCheck(SubaccountToken Token, StorageError WhenRevoked, StorageError? WhenValid = null)
{
    /// <summary>The error to answer, or null to go on.</summary>
    public StorageError? Decide(bool isRevoked) => isRevoked ? WhenRevoked : WhenValid;
}
