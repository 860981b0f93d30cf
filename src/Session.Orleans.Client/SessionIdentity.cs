using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client;

/// <summary>An account: its seed, its keys and its id (identity.md). An account exists as soon as somebody stores to it; nothing is registered.</summary>
public sealed class SessionIdentity
{
    private readonly byte[] _seed;

    private SessionIdentity(byte[] seed)
    {
        _seed = seed;
        Keys = AccountSeed.CreateKeys(seed);
    }

    /// <summary>The account's Ed25519 key pair and its X25519 form.</summary>
    public Ed25519KeyPair Keys { get; }

    /// <summary>The Session ID: 05 and the X25519 public key.</summary>
    public AccountId Id => Keys.SessionId;

    /// <summary>The words to write down: 13 of them for a new account. Whoever has them is the account.</summary>
    public string RecoveryPhrase => Protocol.Identity.RecoveryPhrase.Encode(_seed);

    /// <summary>A new account.</summary>
    public static SessionIdentity Create() => new(AccountSeed.Generate());

    /// <summary>The account of a seed.</summary>
    /// <param name="seed">16 bytes, or 32.</param>
    /// <exception cref="ArgumentException">Another length.</exception>
    public static SessionIdentity FromSeed(ReadOnlySpan<byte> seed) => seed.Length is AccountSeed.Length or 2 * AccountSeed.Length
        ? new(seed.ToArray()) : throw new ArgumentException("An account's seed has 16 or 32 bytes.", nameof(seed));

    /// <summary>The account of a recovery phrase, as people type it.</summary>
    /// <param name="phrase">13 words; 25 for a seed of 32 bytes.</param>
    /// <exception cref="FormatException">The phrase is wrong; the message says how.</exception>
    public static SessionIdentity FromRecoveryPhrase(string phrase)
    {
        if (!Protocol.Identity.RecoveryPhrase.TryDecodeLong(phrase, out var seed, out var error) || seed.Length is not (AccountSeed.Length or 2 * AccountSeed.Length))
        {
            throw new FormatException(error switch
            {
                RecoveryPhraseError.NotEnoughWords => "A recovery phrase has 13 words; there are fewer.",
                RecoveryPhraseError.MissingChecksumWord => "The last word of the recovery phrase is missing.",
                RecoveryPhraseError.InvalidWord => "A word of the recovery phrase is not in the word list.",
                RecoveryPhraseError.BadChecksum => "The recovery phrase does not fit its last word: a word is wrong or two are exchanged.",
                _ => "A recovery phrase has 13 words; there are more.",
            });
        }

        return new(seed);
    }
}
