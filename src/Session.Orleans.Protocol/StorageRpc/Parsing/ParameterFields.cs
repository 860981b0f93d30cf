using System.Buffers;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc.Writing;

namespace Session.Orleans.Protocol.StorageRpc.Parsing;

/// <summary>Types of parameters (storage-rpc.md, 2).</summary>
internal enum FieldKind
{
    /// <summary>Any JSON, not checked.</summary>
    Any,
    Text,
    Boolean,
    Integer,
    Unsigned,

    /// <summary>An integer, or a string that is one: <c>store.timestamp</c>.</summary>
    IntegerOrDecimal,

    /// <summary>A non-negative integer, or a string that is one: <c>store.ttl</c>.</summary>
    UnsignedOrDecimal,
    Timestamp,
    Namespace,
    NamespaceOrAll,
    TextList,
    IntegerList,
    TimestampList,
}

/// <summary>A parameter's name and type.</summary>
internal readonly record struct Field(string Name, FieldKind Kind);

/// <summary>
/// The known members of one <c>params</c> object, in either form. They are type-checked in the order given, which is that of their names; afterwards the
/// accessors return values of the right type, or nothing for absent ones. The first error sticks.
/// </summary>
internal ref struct ParameterFields
{
    private readonly ReadOnlySpan<byte> _data;
    private readonly ReadOnlySpan<Field> _fields;
    private readonly ReadOnlySpan<JsonSlot> _slots;
    private byte[]? _scratch;
    private int _scratchUsed;

    public ParameterFields(ReadOnlySpan<byte> data, RequestForm form, ReadOnlySpan<Field> fields, ReadOnlySpan<JsonSlot> slots)
    {
        _data = data;
        Form = form;
        _fields = fields;
        _slots = slots;
        for (var i = 0; i < fields.Length && !Failed; i++)
        {
            if (slots[i].IsPresent && CheckType(i) is { } problem)
                Fail(problem);
        }
    }

    /// <summary>JSON, or bencoded.</summary>
    public RequestForm Form { get; }

    /// <summary>The first error, if any.</summary>
    public StorageError? Error { get; private set; }

    public readonly bool Failed => Error is not null;

    /// <summary>Gives the text buffer back; spans returned by <see cref="Text"/> are invalid afterwards.</summary>
    public void Dispose()
    {
        if (_scratch is not null)
            ArrayPool<byte>.Shared.Return(_scratch);
        _scratch = null;
    }

    /// <summary>Notes an error unless there was one before.</summary>
    public void Fail(string text) => Error ??= StorageError.InvalidRequest(text);

    /// <summary>Notes an error that already has its final form.</summary>
    public void Fail(StorageError error) => Error ??= error;

    public readonly bool Has(int field) => _slots[field].IsPresent;

    /// <summary>The value's JSON; of a bencoded value see <see cref="BencodeScan"/>. Empty if absent.</summary>
    public readonly ReadOnlySpan<byte> Raw(int field) => _slots[field].Raw(_data);

    public readonly JsonTokenType Type(int field) => _slots[field].Type;

    /// <summary>True if present; otherwise notes that it is missing.</summary>
    public bool Require(int field)
    {
        if (!Has(field))
            Fail($"Required field '{_fields[field].Name}' missing");
        return Has(field);
    }

    /// <summary>The one of two fields that is given, or -1 with an error. <paramref name="missing"/> is the quoted name or names.</summary>
    public int RequireOne(int first, int second, string missing)
    {
        if (Has(first) && Has(second))
            Fail($"Cannot specify both '{_fields[first].Name}' and '{_fields[second].Name}'");
        else if (!Has(first) && !Has(second))
            Fail($"Required field {missing} missing");
        else
            return Has(first) ? first : second;
        return -1;
    }

    /// <summary>A JSON string's text in UTF-8, escapes resolved, or a bencoded string's bytes; empty if absent. Ask once per field.</summary>
    public ReadOnlySpan<byte> Text(int field) => _slots[field] switch
    {
        { IsPresent: false } => default,
        var slot when Form is RequestForm.Bencode => slot.Raw(_data),
        { IsEscaped: false } slot => slot.Inner(_data),
        var slot => Unescape(slot.Raw(_data)),
    };

    public readonly bool Boolean(int field) =>
        Form is RequestForm.Bencode ? Has(field) && IsOne(Raw(field)) : _slots[field].Type is JsonTokenType.True;

    public readonly long? Integer(int field) => Has(field) && TryInteger(Raw(field), out var value) ? value : null;

    public readonly long? Timestamp(int field) => Integer(field);

    /// <summary>An integer, or the integer a string stands for.</summary>
    public readonly long? IntegerOrDecimal(int field) =>
        Type(field) is JsonTokenType.String && TryDecimal(field, out long value) ? value : Integer(field);

    /// <summary>A non-negative integer, or the one a string stands for.</summary>
    public readonly ulong? UnsignedOrDecimal(int field) =>
        Type(field) is JsonTokenType.String && TryDecimal(field, out ulong value) ? value
        : Has(field) && TryUnsigned(Raw(field), out value) ? value : null;

    public readonly short? Namespace(int field) => (short?)Integer(field);

    public readonly NamespaceSelector NamespaceOrAll(int field) =>
        Type(field) is JsonTokenType.String ? NamespaceSelector.All : NamespaceSelector.Of(Namespace(field) ?? 0);

    /// <summary>The texts of a list, or of a lone string; copied, so that they outlive the request body.</summary>
    public readonly ImmutableArray<ReadOnlyMemory<byte>> TextList(int field)
    {
        var json = Raw(field);
        if (Form is RequestForm.Bencode)
            return BencodeScan.TextList(json, Type(field));
        var texts = new byte[json.Length];   // never shorter than what it stands for
        var (used, list) = (0, ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>());
        var reader = JsonScan.Reader(json);
        while (reader.Read())
        {
            if (reader.TokenType is not JsonTokenType.String)
                continue;
            var length = reader.CopyString(texts.AsSpan(used));
            list.Add(texts.AsMemory(used, length));
            used += length;
        }

        return list.DrainToImmutable();
    }

    /// <summary>The numbers of a list, or a lone one; empty if absent.</summary>
    public readonly ImmutableArray<long> IntegerList(int field)
    {
        if (!Has(field))
            return [];
        if (Form is RequestForm.Bencode)
            return BencodeScan.IntegerList(Raw(field), Type(field));
        var list = ImmutableArray.CreateBuilder<long>();
        var reader = JsonScan.Reader(Raw(field));
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.Number && TryInteger(reader.ValueSpan, out var value))
                list.Add(value);
        }

        return list.DrainToImmutable();
    }

    /// <summary>A non-empty list of message hashes, or an error.</summary>
    public ImmutableArray<MessageHashText> MessageHashes(int field, bool checkForm)
    {
        if (Failed || !Require(field))
            return [];
        var texts = TextList(field);
        if (texts.IsEmpty)
            Fail("messages does not contain any message hashes");
        var hashes = ImmutableArray.CreateBuilder<MessageHashText>(texts.Length);
        foreach (var text in texts)
        {
            var hash = new MessageHashText(text);
            if (checkForm && !hash.IsWellFormed)
                Fail("invalid message hash: " + hash);
            if (Failed)
                return [];
            hashes.Add(hash);
        }

        return hashes.DrainToImmutable();
    }

    /// <summary>The account of a <c>pubkey</c>. <paramref name="malformed"/> is the text for anything else.</summary>
    public AccountId Account(int field, in StorageParseOptions options, string malformed = "Pubkey must be 66 hex digits (33 bytes) long")
    {
        if (Failed)
            return default;
        var text = Text(field);
        if (AccountId.TryParse(text, out var account))
            return account;
        if (text.Length == AccountId.Length)
            return AccountId.FromBytes(text);
        if (options.TestNetwork && Bytes32.TryParseHex(text, out var key))
            return new(AccountId.SessionPrefix, key);
        Fail(malformed);
        return default;
    }

    /// <summary>The signature fields; null with an error if they are malformed. Negative indices: the method takes no subaccount.</summary>
    public RequestAuthentication? Authentication(AccountId account, int ed25519, int signature, int subaccount, int subaccountSignature)
    {
        if (Failed || !Require(signature))
            return null;
        Ed25519PublicKey? key = null;
        if (Has(ed25519))
        {
            if (account.Prefix != AccountId.SessionPrefix)
                Fail("pubkey_ed25519 is only permitted for 05[...] pubkeys");
            key = ReadEd25519Key(Text(ed25519));
        }

        if (!TryReadSignature(Text(signature), out var proof))
            Fail(Form is RequestForm.Bencode ? BadRawSignature : "invalid signature: expected base64 encoded Ed25519 signature");
        var credential = subaccount < 0 ? null : ReadSubaccount(Text(subaccount), subaccountSignature);
        return Failed ? null : new(proof, key, credential);
    }

    private Ed25519PublicKey? ReadEd25519Key(ReadOnlySpan<byte> text)
    {
        if (text.Length == Bytes32.Length)
            return new(text);
        if (Ed25519PublicKey.TryParseHex(text, out var key))
            return key;
        Fail(text.Length == 2 * Bytes32.Length
            ? "invalid pubkey_ed25519: value is not hex"
            : "Invalid pubkey_ed25519: expected 64 hex char or 32 byte pubkey");
        return null;
    }

    private SubaccountCredential? ReadSubaccount(ReadOnlySpan<byte> text, int signature)
    {
        if (text.IsEmpty)
            return null;
        if (!TryReadToken(text, out var token))
        {
            Fail(Form is RequestForm.Bencode
                ? "invalid subaccount token: invalid token length"
                : "invalid subaccount: expected base64 or hex-encoded subaccount token");
        }

        if (!Has(signature))
            Fail("invalid subaccount: subaccount_sig is required when using subaccount");
        if (!TryReadSignature(Text(signature), out var proof))
            Fail(Form is RequestForm.Bencode ? BadRawSignature : "invalid subaccount signature: expected base64 encoded Ed25519 signature");
        return new(token, proof);
    }

    /// <summary>Reads a token: base64 or hex in JSON, raw in bencode.</summary>
    public readonly bool TryReadToken(ReadOnlySpan<byte> text, out SubaccountToken token)
    {
        if (Form is RequestForm.Json)
            return SubaccountToken.TryParse(text, out token);
        var fits = text.Length == SubaccountToken.Length;
        token = fits ? new(text) : default;
        return fits;
    }

    private readonly bool TryReadSignature(ReadOnlySpan<byte> text, out RequestSignature signature)
    {
        if (Form is RequestForm.Json)
            return RequestSignature.TryParse(text, out signature);
        var fits = text.Length == RequestSignature.Length;
        signature = fits ? new(text) : default;
        return fits;
    }

    private const string BadRawSignature = "invalid signature: expected 64-byte Ed25519 signature";

    private ReadOnlySpan<byte> Unescape(ReadOnlySpan<byte> quoted)
    {
        // All texts of a request together are shorter than its JSON.
        _scratch ??= ArrayPool<byte>.Shared.Rent(_data.Length);
        if (_scratch.Length - _scratchUsed < quoted.Length)
            throw new InvalidOperationException("A field's text was asked for twice.");
        var reader = JsonScan.Reader(quoted);
        reader.Read();
        var text = _scratch.AsSpan(_scratchUsed);
        text = text[..reader.CopyString(text)];
        _scratchUsed += text.Length;
        return text;
    }

    private readonly string? CheckType(int field)
    {
        var type = Type(field);
        var raw = Raw(field);
        var isNumber = type is JsonTokenType.Number;
        if (Form is RequestForm.Bencode)
            return CheckBencodedType(field, type, raw);
        string? expected = null;
        switch (_fields[field].Kind)
        {
            case FieldKind.Text when type is not JsonTokenType.String:
                expected = "string";
                break;
            case FieldKind.Boolean when type is not (JsonTokenType.True or JsonTokenType.False):
                expected = "boolean";
                break;
            case FieldKind.IntegerOrDecimal when type is JsonTokenType.String:
                return TryDecimal(field, out long _) ? null : BadDecimal(field);
            case FieldKind.UnsignedOrDecimal when type is JsonTokenType.String:
                return TryDecimal(field, out ulong _) ? null : BadDecimal(field);
            case FieldKind.Integer when !isNumber || !TryInteger(raw, out _):
            case FieldKind.IntegerOrDecimal when !isNumber || !TryInteger(raw, out _):
                expected = "integer";
                break;
            case FieldKind.Unsigned when !isNumber || !TryUnsigned(raw, out _):
            case FieldKind.UnsignedOrDecimal when !isNumber || !TryUnsigned(raw, out _):
                expected = "positive integer";
                break;
            case FieldKind.Timestamp:
                if (!isNumber || !TryTimestamp(raw, out var time))
                    expected = "integer timestamp (in milliseconds)";
                else if (time < StorageLimits.MinTimestampMs)
                    return $"Invalid timestamp for '{_fields[field].Name}': timestamp must be in milliseconds";
                break;
            case FieldKind.Namespace:
                if (!isNumber || !IsInteger(raw))
                    expected = "16-bit integer";
                else if (!IsNamespace(raw))
                    return $"Invalid value given for '{_fields[field].Name}': value out of range";
                break;
            case FieldKind.NamespaceOrAll:
                if (type is JsonTokenType.String ? !IsAll(raw) : !isNumber || !IsInteger(raw))
                    expected = "integer or \"all\"";
                else if (isNumber && !IsNamespace(raw))
                    return $"Invalid value given for '{_fields[field].Name}': value out of range";
                break;
            case FieldKind.TextList when type is not JsonTokenType.String && !IsListOf(raw, static (ref reader) => reader.TokenType is JsonTokenType.String):
                expected = "string array";
                break;
            case FieldKind.IntegerList when !IsIntegers(type, raw):
                expected = "integer array";
                break;
            case FieldKind.TimestampList when !IsTimestamps(type, raw):
                expected = "timestamp array";
                break;
            default:
                break;
        }

        return expected is null ? null : $"Invalid value given for '{_fields[field].Name}': expected {expected}";
    }

    // What differs: no true and false, no numbers in strings, no guess whether a time is in seconds (storage-rpc.md, 17).
    private readonly string? CheckBencodedType(int field, JsonTokenType type, ReadOnlySpan<byte> raw)
    {
        var isNumber = type is JsonTokenType.Number;
        var isText = type is JsonTokenType.String;
        var kind = _fields[field].Kind;
        if (kind is FieldKind.Namespace or FieldKind.NamespaceOrAll && isNumber && IsInteger(raw) && !IsNamespace(raw))
            return $"Invalid value given for '{_fields[field].Name}': value out of range";
        var (fits, expected) = kind switch
        {
            FieldKind.Text => (isText, "string"),
            FieldKind.Boolean => (isNumber && (IsOne(raw) || raw.SequenceEqual("0"u8)), "boolean"),
            FieldKind.Integer or FieldKind.IntegerOrDecimal => (isNumber && TryInteger(raw, out _), "integer"),
            FieldKind.Unsigned or FieldKind.UnsignedOrDecimal => (isNumber && TryUnsigned(raw, out _), "positive integer"),
            FieldKind.Timestamp => (isNumber && TryInteger(raw, out _), "integer timestamp (in milliseconds)"),
            FieldKind.Namespace => (isNumber && IsInteger(raw), "16-bit integer"),
            FieldKind.NamespaceOrAll => (isText ? raw.SequenceEqual("all"u8) : isNumber && IsInteger(raw), "integer or \"all\""),
            FieldKind.TextList => (isText || BencodeScan.IsListOf(raw, type, JsonTokenType.String), "string array"),
            FieldKind.IntegerList => (isNumber ? TryInteger(raw, out _) : BencodeScan.IsListOf(raw, type, JsonTokenType.Number), "integer array"),
            FieldKind.TimestampList => (isNumber ? TryInteger(raw, out _) : BencodeScan.IsListOf(raw, type, JsonTokenType.Number), "timestamp array"),
            _ => (true, ""),
        };
        return fits ? null : $"Invalid value given for '{_fields[field].Name}': expected {expected}";
    }

    private static bool IsOne(ReadOnlySpan<byte> literal) => literal.SequenceEqual("1"u8);

    private delegate bool TokenTest(ref Utf8JsonReader reader);

    private static bool IsIntegers(JsonTokenType type, ReadOnlySpan<byte> raw) => type is JsonTokenType.Number
        ? TryInteger(raw, out _)
        : IsListOf(raw, static (ref reader) => reader.TokenType is JsonTokenType.Number && TryInteger(reader.ValueSpan, out _));

    private static bool IsTimestamps(JsonTokenType type, ReadOnlySpan<byte> raw) => type is JsonTokenType.Number
        ? TryTimestamp(raw, out _)
        : IsListOf(raw, static (ref reader) => reader.TokenType is JsonTokenType.Number && TryTimestamp(reader.ValueSpan, out _));

    private static bool IsListOf(ReadOnlySpan<byte> raw, TokenTest test)
    {
        var reader = JsonScan.Reader(raw);
        reader.Read();
        if (reader.TokenType is not JsonTokenType.StartArray)
            return false;
        while (reader.Read() && reader.TokenType is not JsonTokenType.EndArray)
        {
            if (!test(ref reader))
                return false;
        }

        return true;
    }

    private static bool IsAll(ReadOnlySpan<byte> raw)
    {
        var reader = JsonScan.Reader(raw);
        reader.Read();
        return reader.ValueTextEquals("all"u8);
    }

    // Integers have neither fraction nor exponent. Beyond 64 bits the reference's JSON library turns them into floating point, so they
    // are no integers for it either.
    private static bool TryInteger(ReadOnlySpan<byte> literal, out long value) =>
        Utf8Parser.TryParse(literal, out value, out var used) && used == literal.Length;

    // "-0" is not accepted: the reference keeps it as a signed number.
    private static bool TryUnsigned(ReadOnlySpan<byte> literal, out ulong value) =>
        Utf8Parser.TryParse(literal, out value, out var used) && used == literal.Length && literal[0] != (byte)'-';

    private static bool TryTimestamp(ReadOnlySpan<byte> literal, out long value) =>
        TryInteger(literal, out value) && literal[0] != (byte)'-';

    private static bool IsInteger(ReadOnlySpan<byte> literal) => TryInteger(literal, out _) || TryUnsigned(literal, out _);

    private static bool IsNamespace(ReadOnlySpan<byte> literal) =>
        TryInteger(literal, out var value) && value is >= short.MinValue and <= short.MaxValue;

    // Leading zeros are fine, blanks and a plus sign are not.
    private readonly bool TryDecimal(int field, out long value)
    {
        var text = PlainText(field);
        return Utf8Parser.TryParse(text, out value, out var used) && used == text.Length && text[0] != (byte)'+';
    }

    private readonly bool TryDecimal(int field, out ulong value)
    {
        var text = PlainText(field);
        return Utf8Parser.TryParse(text, out value, out var used) && used == text.Length && char.IsAsciiDigit((char)text[0]);
    }

    // A string's text without the scratch buffer, for the few places where it is short or on its way into an error.
    private readonly ReadOnlySpan<byte> PlainText(int field) => _slots[field].IsEscaped
        ? Encoding.UTF8.GetBytes(RequestTable.NameOf(_data, RequestForm.Json, _slots[field]))
        : _slots[field].Inner(_data);

    private readonly string BadDecimal(int field)
    {
        var literal = new ArrayBufferWriter<byte>();
        var output = new Utf8Output(literal);
        output.Text(PlainText(field));
        output.Complete();
        return $"Invalid value given for '{_fields[field].Name}': {Encoding.UTF8.GetString(literal.WrittenSpan)}";
    }
}
