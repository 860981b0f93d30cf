using System.Diagnostics.CodeAnalysis;
using ZstdSharp;

namespace Session.Orleans.Protocol.Messages;

/// <summary>Zstandard as configs and group messages use it.</summary>
internal static class Zstd
{
    private const int Level = 1;

    public static byte[] Compress(ReadOnlySpan<byte> plain)
    {
        using var compressor = new Compressor(Level);
        return compressor.Wrap(plain).ToArray();
    }

    /// <summary>False for anything that is not one whole frame, and for contents longer than <paramref name="maxLength"/>.</summary>
    public static bool TryDecompress(ReadOnlySpan<byte> compressed, int maxLength, [NotNullWhen(true)] out byte[]? plain)
    {
        plain = null;
        try
        {
            // A stream, because the length in a frame is the sender's word: memory grows with what really comes out.
            using var source = new MemoryStream(compressed.ToArray(), writable: false);
            using var stream = new DecompressionStream(source);
            using var output = new MemoryStream();
            var buffer = new byte[16384];
            for (int read; (read = stream.Read(buffer)) > 0;)
            {
                if (output.Length + read > maxLength)
                    return false;
                output.Write(buffer, 0, read);
            }

            plain = output.ToArray();
            return true;
        }
        catch (Exception exception) when (exception is ZstdException or EndOfStreamException)
        {
            return false;
        }
    }
}
