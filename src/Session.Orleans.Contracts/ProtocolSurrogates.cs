using System.Buffers.Binary;

namespace Session.Orleans.Contracts;

/// <summary>32 bytes as four numbers: how keys and hashes of the protocol library, which knows no Orleans, travel between silos.</summary>
/// <param name="A">Bytes 0..7, little-endian.</param>
/// <param name="B">Bytes 8..15, little-endian.</param>
/// <param name="C">Bytes 16..23, little-endian.</param>
/// <param name="D">Bytes 24..31, little-endian.</param>
[GenerateSerializer, Immutable, Alias("session.Bytes32")]
public readonly record struct Bytes32Surrogate(
    [property: Id(0)] ulong A, [property: Id(1)] ulong B, [property: Id(2)] ulong C, [property: Id(3)] ulong D)
{
    internal static Bytes32Surrogate From(in Bytes32 value)
    {
        var bytes = value.AsSpan();
        return new(
            BinaryPrimitives.ReadUInt64LittleEndian(bytes), BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]), BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));
    }

    internal Bytes32 ToBytes32()
    {
        Span<byte> bytes = stackalloc byte[Bytes32.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, A);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], B);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], C);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], D);
        return new(bytes);
    }
}

/// <summary>Carries <see cref="MessageHash"/>.</summary>
[RegisterConverter]
public sealed class MessageHashConverter : IConverter<MessageHash, MessageHashSurrogate>
{
    /// <inheritdoc/>
    public MessageHash ConvertFromSurrogate(in MessageHashSurrogate surrogate) => new(surrogate.Value.ToBytes32());

    /// <inheritdoc/>
    public MessageHashSurrogate ConvertToSurrogate(in MessageHash value) => new(Bytes32Surrogate.From(value.Value));
}

/// <summary>How a <see cref="MessageHash"/> travels between silos.</summary>
/// <param name="Value">The hash.</param>
[GenerateSerializer, Immutable, Alias("session.MessageHash")]
public readonly record struct MessageHashSurrogate([property: Id(0)] Bytes32Surrogate Value);

/// <summary>Carries <see cref="X25519PublicKey"/>.</summary>
[RegisterConverter]
public sealed class X25519PublicKeyConverter : IConverter<X25519PublicKey, X25519PublicKeySurrogate>
{
    /// <inheritdoc/>
    public X25519PublicKey ConvertFromSurrogate(in X25519PublicKeySurrogate surrogate) => new(surrogate.Value.ToBytes32());

    /// <inheritdoc/>
    public X25519PublicKeySurrogate ConvertToSurrogate(in X25519PublicKey value) => new(Bytes32Surrogate.From(value.Value));
}

/// <summary>How an <see cref="X25519PublicKey"/> travels between silos.</summary>
/// <param name="Value">The key.</param>
[GenerateSerializer, Immutable, Alias("session.X25519PublicKey")]
public readonly record struct X25519PublicKeySurrogate([property: Id(0)] Bytes32Surrogate Value);
