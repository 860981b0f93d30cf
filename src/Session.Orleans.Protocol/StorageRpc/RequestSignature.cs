using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Session.Orleans.Protocol.Cryptography;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>An Ed25519 signature held by value: 64 bytes, base64 on the wire.</summary>
public readonly struct RequestSignature : IEquatable<RequestSignature>
{
    /// <summary>Length in bytes.</summary>
    public const int Length = Ed25519.SignatureLength;

    private readonly Body _body;

    /// <summary>Copies exactly 64 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Another length.</exception>
    public RequestSignature(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        _body = MemoryMarshal.Read<Body>(bytes);
    }

    /// <summary>A view of the 64 bytes; valid as long as the value it was taken from.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> AsSpan() => MemoryMarshal.AsBytes(new ReadOnlySpan<RequestSignature>(in this));

    /// <summary>Parses 86 base64 characters, or 88 ending in <c>==</c> (ASCII).</summary>
    public static bool TryParse(ReadOnlySpan<byte> base64, out RequestSignature signature)
    {
        Span<byte> bytes = stackalloc byte[Length];
        var ok = Parsing.Base64Text.TryDecodeExactly(base64, bytes);
        signature = ok ? new(bytes) : default;
        return ok;
    }

    /// <summary>Padded base64.</summary>
    public override string ToString() => Convert.ToBase64String(AsSpan());

    /// <inheritdoc/>
    public bool Equals(RequestSignature other) => AsSpan().SequenceEqual(other.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is RequestSignature other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(AsSpan());

    /// <summary>Equality by value.</summary>
    public static bool operator ==(RequestSignature left, RequestSignature right) => left.Equals(right);

    /// <summary>Inequality by value.</summary>
    public static bool operator !=(RequestSignature left, RequestSignature right) => !left.Equals(right);

    [InlineArray(Length)]
    private struct Body
    {
        private byte _first;
    }
}
