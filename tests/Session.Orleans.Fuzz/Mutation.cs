using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Session.Orleans.Fuzz;

/// <summary>Valid inputs and ways to damage them.</summary>
internal static class Mutation
{
    private static readonly byte[][] Literals = [.. ((string[])
    [
        "null", "true", "false", "0", "-0", "-1", "1.5", "1e3", "1e400", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
        "18446744073709551615", "18446744073709551616", "32767", "32768", "-32769", "999999999", "1000000000", "1750000000000",
        "\"\"", "\"all\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"5\"", "\"-5\"", "\"+5\"", "\"aGk=\"", "\"aGk\"", "\"a\"", "\"====\"",
        "[]", "{}", "[null]", "[\"\"]", "[1,-1]", "[[[[[[[[[[]]]]]]]]]]", "{\"\":{}}", "{\"method\":\"info\",\"params\":{}}",
        "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"", "\"050123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", "\"xchacha20\"", "\"aes-cbc\"", "\"store\"", "\"ifelse\"", "\"\u00e9\ud83d\ude00\"",
    ]).Select(Encoding.UTF8.GetBytes)];

    /// <summary>Values in a JSON text that a mutation can replace, names included.</summary>
    public static Template Analyze(byte[] json)
    {
        var values = new List<Range>();
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType is not (JsonTokenType.EndArray or JsonTokenType.EndObject))
                values.Add((int)reader.TokenStartIndex..(int)reader.BytesConsumed);
        }

        return new(json, [.. values]);
    }

    /// <summary>The JSON with up to three of its values or names replaced, removed or repeated.</summary>
    public static byte[] Json(Random random, Template template)
    {
        var json = template.Json;
        if (template.Values.Length == 0)
            return json;
        for (var edits = random.Next(4); edits > 0; edits--)
        {
            // Later edits meet shifted text: they damage the structure where the first one kept it.
            var range = template.Values[random.Next(template.Values.Length)];
            var (start, end) = (Math.Min(range.Start.Value, json.Length), Math.Min(range.End.Value, json.Length));
            byte[] value = random.Next(8) switch
            {
                0 => [],
                1 => [.. json.AsSpan(start..end), (byte)',', .. json.AsSpan(start..end)],
                2 => Nested(random),
                _ => Literals[random.Next(Literals.Length)],
            };
            json = [.. json.AsSpan(0, start), .. value, .. json.AsSpan(end)];
        }

        return random.Next(4) == 0 ? Bytes(random, json) : json;
    }

    /// <summary>Changes bytes: flips, cuts, insertions, repetitions, noise; sometimes nothing.</summary>
    public static byte[] Bytes(Random random, byte[] valid)
    {
        var bytes = new List<byte>(valid);
        for (var edits = random.Next(5); edits > 0; edits--)
        {
            var at = random.Next(bytes.Count + 1);
            var length = Math.Min(random.Next(32), bytes.Count - at);
            switch (random.Next(7))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 3:
                    bytes.RemoveRange(at, length);
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 5:
                    bytes.InsertRange(at, "\"\\{}[]:,0-9eEuldi=+/\0"u8[random.Next(18)..].ToArray());
                    break;
                default:
                    bytes.InsertRange(at, (byte[])[0xc0, 0x80, 0xff, 0xed, 0xa0, 0x80]);
                    break;
            }
        }

        return [.. bytes];
    }

    /// <summary>Text over an alphabet that base64 and hex parsers nearly accept.</summary>
    public static byte[] Encoded(Random random)
    {
        ReadOnlySpan<int> lengths = [0, 1, 32, 33, 36, 42, 43, 44, 48, 52, 64, 66, 72, 86, 87, 88, 89];
        var alphabet = random.Next(3) switch { 0 => "0123456789abcdef", 1 => "0123456789abcdefABCDEF", _ => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" };
        var text = new byte[lengths[random.Next(lengths.Length)]];
        for (var i = 0; i < text.Length; i++)
            text[i] = (byte)alphabet[random.Next(alphabet.Length)];
        for (var i = 1; i <= random.Next(3) && i <= text.Length; i++)
            text[^i] = (byte)'=';
        return random.Next(3) == 0 ? Bytes(random, text) : text;
    }

    /// <summary>A bencoded value, often canonical, sometimes not.</summary>
    public static byte[] Bencode(Random random)
    {
        var output = new List<byte>();
        Write(0);
        return random.Next(2) == 0 ? [.. output] : Bytes(random, [.. output]);

        void Write(int depth)
        {
            switch (random.Next(depth > 6 ? 2 : 5))
            {
                case 0:
                    var number = random.Next(4) == 0 ? Encoding.ASCII.GetString(Literals[random.Next(3, 20)]) : random.NextInt64(long.MinValue, long.MaxValue).ToString(CultureInfo.InvariantCulture);
                    output.AddRange(Encoding.ASCII.GetBytes($"i{number}e"));
                    break;
                case 1:
                    WriteBytes(random.Next(3) == 0 ? random.Next(200) : random.Next(12));
                    break;
                case 2:
                    output.Add((byte)'l');
                    for (var i = random.Next(5); i > 0; i--)
                        Write(depth + 1);
                    output.Add((byte)'e');
                    break;
                case 3:
                    output.Add((byte)'d');
                    var sorted = random.Next(4) > 0;
                    for (var i = 0; i < random.Next(5); i++)
                    {
                        output.AddRange(Encoding.ASCII.GetBytes($"2:{(sorted ? (char)('a' + i) : (char)random.Next(97, 123))}x"));
                        Write(depth + 1);
                    }

                    output.Add((byte)'e');
                    break;
                default:
                    var levels = random.Next(80);
                    output.AddRange(Enumerable.Repeat((byte)'l', levels));
                    output.AddRange(Enumerable.Repeat((byte)'e', levels));
                    break;
            }
        }

        void WriteBytes(int length)
        {
            output.AddRange(Encoding.ASCII.GetBytes($"{(random.Next(12) == 0 ? random.NextInt64(long.MaxValue) : length)}:"));
            var bytes = new byte[length];
            random.NextBytes(bytes);
            output.AddRange(bytes);
        }
    }

    private static byte[] Nested(Random random)
    {
        var depth = random.Next(200);
        return [.. Enumerable.Repeat((byte)'[', depth), .. Enumerable.Repeat((byte)']', depth)];
    }
}

/// <summary>A valid JSON text and where its values are.</summary>
internal sealed record Template(byte[] Json, Range[] Values);
