using CsCheck;

namespace Session.Orleans.Protocol.Tests;

/// <summary>Inputs for parsers that must survive anything: random bytes, and valid ones with a few edits.</summary>
internal static class Fuzzing
{
    /// <summary>Random bytes, and the given ones changed, cut, doubled or left as they are.</summary>
    public static Gen<byte[]> Around(params byte[][] valid) => Gen.OneOf(
        Gen.Byte.Array[0, 96],
        Gen.Select(Gen.OneOf(valid), Gen.Select(Gen.Int[0, 4], Gen.Int[0, int.MaxValue], Gen.Byte).Array[0, 5], Edit),
        Gen.Select(Gen.OneOf(valid), Gen.Select(Gen.Int[0, 4], Gen.Int[0, int.MaxValue], Interesting).Array[1, 3], Edit));

    /// <summary>A payload with the given blob and JSON.</summary>
    public static byte[] Payload(string json, int blobLength = 3) =>
        Protocol.Onion.CombinedPayload.Join(new byte[blobLength], System.Text.Encoding.UTF8.GetBytes(json));

    private static readonly Gen<byte> Interesting = Gen.OneOf("\"\\{}[]:,0-9eEuldi\u0000"u8.ToArray().Append((byte)0xff).ToArray());

    private static byte[] Edit(byte[] seed, (int Operation, int Position, byte Value)[] edits)
    {
        var bytes = seed.ToList();
        foreach (var (operation, where, value) in edits)
        {
            var position = where % (bytes.Count + 1);
            if (operation == 0)
                bytes.Insert(position, value);
            else if (position == bytes.Count)
                continue;
            else if (operation == 1)
                bytes[position] = value;
            else if (operation == 2)
                bytes.RemoveAt(position);
            else if (operation == 3)
                bytes.RemoveRange(position, Math.Min(value, bytes.Count - position));
            else
                bytes.InsertRange(position, bytes.GetRange(position, Math.Min(value, bytes.Count - position)));
        }

        return [.. bytes];
    }
}
