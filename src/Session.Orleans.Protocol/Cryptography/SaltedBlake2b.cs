namespace Session.Orleans.Protocol.Cryptography;

/// <summary>An unkeyed BLAKE2b with a salt over bytes that arrive piece by piece, also across awaits. Not thread-safe; use once.</summary>
public sealed class SaltedBlake2b
{
    /// <summary>Length of the salt, in bytes.</summary>
    public const int SaltLength = 16;

    // crypto_generichash_blake2b_state is 384 bytes; it holds no addresses, so the array may move.
    private readonly byte[] _state = new byte[448];
    private readonly int _outputLength;

    /// <summary>Starts a hash.</summary>
    /// <param name="outputLength">16..64 bytes.</param>
    /// <param name="salt">16 bytes.</param>
    public SaltedBlake2b(int outputLength, ReadOnlySpan<byte> salt)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(salt.Length, SaltLength);
        _outputLength = outputLength;
        Span<byte> personalisation = stackalloc byte[SaltLength];
        personalisation.Clear();
        if (Sodium.crypto_generichash_blake2b_init_salt_personal(_state, default, 0, (nuint)outputLength, salt, personalisation) != 0)
            throw new ArgumentOutOfRangeException(nameof(outputLength));
    }

    /// <summary>Adds <paramref name="input"/> to the hashed bytes.</summary>
    public void Append(ReadOnlySpan<byte> input) => _ = Sodium.crypto_generichash_blake2b_update(_state, input, (ulong)input.Length);

    /// <summary>Writes the hash; <paramref name="output"/> has exactly the length given at the start.</summary>
    public void Finish(Span<byte> output)
    {
        if (output.Length != _outputLength || Sodium.crypto_generichash_blake2b_final(_state, output, (nuint)output.Length) != 0)
            throw new ArgumentException("The output has another length than announced, or the hash is finished.", nameof(output));
    }
}
