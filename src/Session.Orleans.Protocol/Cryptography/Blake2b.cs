using System.Runtime.CompilerServices;

namespace Session.Orleans.Protocol.Cryptography;

/// <summary>BLAKE2b (RFC 7693) as libsodium computes it: 16 to 64 bytes of output, optional key of up to 64 bytes.</summary>
public static class Blake2b
{
    /// <summary>Hashes <paramref name="input"/> into the whole of <paramref name="output"/> (16..64 bytes).</summary>
    public static void Hash(ReadOnlySpan<byte> input, Span<byte> output) => Hash(input, default, output);

    /// <summary>Keyed hash: <paramref name="key"/> has 0..64 bytes, <paramref name="output"/> 16..64.</summary>
    /// <exception cref="ArgumentException">A length is out of range.</exception>
    public static void Hash(ReadOnlySpan<byte> input, ReadOnlySpan<byte> key, Span<byte> output)
    {
        if (Sodium.crypto_generichash_blake2b(output, (nuint)output.Length, input, (ulong)input.Length, key, (nuint)key.Length) != 0)
            throw new ArgumentException("BLAKE2b takes 16..64 bytes of output and a key of at most 64 bytes.");
    }

    /// <summary>Keyed hash with a personalisation of exactly 16 bytes and no salt.</summary>
    /// <exception cref="ArgumentException">A length is out of range.</exception>
    public static void HashPersonal(ReadOnlySpan<byte> input, ReadOnlySpan<byte> key, ReadOnlySpan<byte> personal, Span<byte> output)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(personal.Length, 16);
        Span<byte> salt = stackalloc byte[16];
        salt.Clear();
        if (Sodium.crypto_generichash_blake2b_salt_personal(
            output, (nuint)output.Length, input, (ulong)input.Length, key, (nuint)key.Length, salt, personal) != 0)
            throw new ArgumentException("BLAKE2b takes 16..64 bytes of output and a key of at most 64 bytes.");
    }

    /// <summary>A hash over several pieces without joining them. Not thread-safe; use once.</summary>
    public ref struct Incremental
    {
        private State _state;
        private readonly int _outputLength;

        /// <summary>Starts an unkeyed hash of <paramref name="outputLength"/> (16..64) bytes.</summary>
        public Incremental(int outputLength)
            : this(outputLength, default)
        {
        }

        /// <summary>Starts a hash of <paramref name="outputLength"/> (16..64) bytes with a key of 0..64 bytes.</summary>
        public Incremental(int outputLength, scoped ReadOnlySpan<byte> key)
        {
            _outputLength = outputLength;
            if (Sodium.crypto_generichash_blake2b_init(_state, key, (nuint)key.Length, (nuint)outputLength) != 0)
                throw new ArgumentOutOfRangeException(nameof(outputLength));
        }

        /// <summary>Adds <paramref name="input"/> to the hashed bytes.</summary>
        public void Append(scoped ReadOnlySpan<byte> input) =>
            _ = Sodium.crypto_generichash_blake2b_update(_state, input, (ulong)input.Length);

        /// <summary>Writes the hash; <paramref name="output"/> has exactly the length given at the start.</summary>
        public void Finish(scoped Span<byte> output)
        {
            if (output.Length != _outputLength
                || Sodium.crypto_generichash_blake2b_final(_state, output, (nuint)output.Length) != 0)
                throw new ArgumentException("The output has another length than announced.", nameof(output));
        }

        // crypto_generichash_blake2b_state is 384 bytes, 64-byte aligned by preference only (the code copes with any address).
        [InlineArray(448)]
        private struct State
        {
            private byte _first;
        }
    }
}
