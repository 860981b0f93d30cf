using System.Buffers;
using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Encodings;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc.Parsing;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>Why <c>monitor.messages</c> refuses a subscription: <c>errcode</c> (storage-rpc.md, 17).</summary>
public enum MonitorError
{
    /// <summary>Something is missing, malformed or contradictory.</summary>
    BadArguments = 1,

    /// <summary>A key, a token or a token's signature has the wrong length, or the key is none.</summary>
    BadKey = 2,

    /// <summary>The namespaces are empty, not in ascending order or out of range.</summary>
    BadNamespaces = 3,

    /// <summary>The signed time is too old or too far ahead.</summary>
    BadTime = 4,

    /// <summary>The signature or the token is not valid for this.</summary>
    BadSignature = 5,

    /// <summary>The account belongs to another swarm; defined, but not issued by this release.</summary>
    WrongSwarm = 6,
}

/// <summary>A subscription to the new messages of an account, its signature verified.</summary>
/// <param name="Account">The account.</param>
/// <param name="Namespaces">The namespaces, strictly ascending, at least one.</param>
/// <param name="WithData">True if notifications shall carry the message.</param>
public sealed record MonitorSubscription(AccountId Account, ImmutableArray<short> Namespaces, bool WithData);

/// <summary>Reads and answers <c>monitor.messages</c>, and writes the notifications (storage-rpc.md, 17).</summary>
public static class MonitorRequests
{
    /// <summary>The signed time may be this old, in seconds (14 days).</summary>
    public const long MaxAgeSeconds = 14L * 24 * 3600;

    /// <summary>The signed time may be this far ahead, in seconds (1 day).</summary>
    public const long MaxAheadSeconds = 24L * 3600;

    /// <summary>How long a subscription lasts unless it is renewed: 65 minutes.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(65);

    private const int EdKey = 0, TokenSignature = 1, Token = 2, Data = 3, Namespaces = 4, Account = 5, Signature = 6, Time = 7;

    private static readonly byte[][] Names =
        ["P"u8.ToArray(), "S"u8.ToArray(), "T"u8.ToArray(), "d"u8.ToArray(), "n"u8.ToArray(), "p"u8.ToArray(), "s"u8.ToArray(), "t"u8.ToArray()];

    /// <summary>Checks one request, a dictionary or a list of them, and answers it. Never throws.</summary>
    /// <param name="body">The request's bytes.</param>
    /// <param name="nowMs">The server's clock, Unix milliseconds.</param>
    /// <param name="accepted">Receives the valid subscriptions.</param>
    /// <returns>The reply: a dictionary, or a list of as many of them as were asked for.</returns>
    public static byte[] Execute(ReadOnlySpan<byte> body, long nowMs, ICollection<MonitorSubscription> accepted)
    {
        ArgumentNullException.ThrowIfNull(accepted);
        var buffer = new ArrayBufferWriter<byte>();
        var output = new BencodeWriter(buffer);
        if (BencodeScan.IsDictionary(body))
        {
            Answer(output, body, nowMs, accepted);
        }
        else if (BencodeScan.IsList(body) && AreDictionaries(body))
        {
            output.WriteListStart();
            var reader = new BencodeReader(body, StorageLimits.MaxJsonDepth);
            reader.TryReadListStart();
            for (var start = reader.Position; reader.TrySkip(); start = reader.Position)
                Answer(output, body[start..reader.Position], nowMs, accepted);
            output.WriteEnd();
        }
        else
        {
            Refuse(output, MonitorError.BadArguments, "Invalid arguments: expected one bencoded dict or a list of them");
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The bytes that a subscription's signature covers.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="timeSeconds">The signed time, Unix seconds.</param>
    public static byte[] SignedText(MonitorSubscription subscription, long timeSeconds)
    {
        ArgumentNullException.ThrowIfNull(subscription);
        return Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"MONITOR{subscription.Account}{timeSeconds}{(subscription.WithData ? 1 : 0)}{string.Join(',', subscription.Namespaces)}"));
    }

    /// <summary>The body of <c>notify.message</c>.</summary>
    /// <param name="account">The account.</param>
    /// <param name="hash">The message's hash.</param>
    /// <param name="namespace">Its namespace.</param>
    /// <param name="timestamp">The sender's time, Unix milliseconds.</param>
    /// <param name="expiry">When it expires, Unix milliseconds.</param>
    /// <param name="data">The message, or null for subscribers that do not want it.</param>
    public static byte[] WriteNotification(
        AccountId account, MessageHash hash, short @namespace, long timestamp, long expiry, ReadOnlyMemory<byte>? data)
    {
        var buffer = new ArrayBufferWriter<byte>(160 + (data?.Length ?? 0));
        var output = new BencodeWriter(buffer);
        Span<byte> text = stackalloc byte[MessageHash.TextLength];
        output.WriteDictionaryStart();
        output.WriteBytes("@"u8);
        account.CopyTo(text);
        output.WriteBytes(text[..AccountId.Length]);
        output.WriteBytes("h"u8);
        hash.WriteText(text);
        output.WriteBytes(text);
        output.WriteBytes("n"u8);
        output.WriteInteger((long)@namespace);
        output.WriteBytes("t"u8);
        output.WriteInteger(timestamp);
        output.WriteBytes("z"u8);
        output.WriteInteger(expiry);
        if (data is { } message)
        {
            output.WriteBytes("~"u8);
            output.WriteBytes(message.Span);
        }

        output.WriteEnd();
        return buffer.WrittenSpan.ToArray();
    }

    private static bool AreDictionaries(ReadOnlySpan<byte> list)
    {
        var reader = new BencodeReader(list, StorageLimits.MaxJsonDepth);
        reader.TryReadListStart();
        while (reader.Peek() is BencodeToken.DictionaryStart)
            reader.TrySkip();
        return reader.Peek() is BencodeToken.End;
    }

    private static void Answer(BencodeWriter output, ReadOnlySpan<byte> request, long nowMs, ICollection<MonitorSubscription> accepted)
    {
        if (Read(request, nowMs, out var subscription) is var (error, text))
        {
            Refuse(output, error, text);
            return;
        }

        accepted.Add(subscription!);
        output.WriteDictionaryStart();
        output.WriteBytes("success"u8);
        output.WriteInteger(1L);
        output.WriteEnd();
    }

    private static void Refuse(BencodeWriter output, MonitorError error, string text)
    {
        output.WriteDictionaryStart();
        output.WriteBytes("errcode"u8);
        output.WriteInteger((long)error);
        output.WriteBytes("error"u8);
        output.WriteBytes(Encoding.UTF8.GetBytes(text));
        output.WriteEnd();
    }

    // The members in the order of their keys, then time, key and signature: the first error is the answer.
    private static (MonitorError Error, string Text)? Read(ReadOnlySpan<byte> request, long nowMs, out MonitorSubscription? subscription)
    {
        subscription = null;
        Span<JsonSlot> slots = stackalloc JsonSlot[Names.Length];
        slots.Clear();
        BencodeScan.FindMembers(request, Names, slots);
        foreach (var (member, type) in Types)
        {
            if (slots[member].IsPresent && slots[member].Type != type)
                return (MonitorError.BadArguments, $"Invalid arguments: {Encoding.ASCII.GetString(Names[member])}= has the wrong type");
        }

        if (slots[EdKey] is { IsPresent: true, Length: not Ed25519.PublicKeyLength })
            return (MonitorError.BadKey, "Provided P= Session Ed25519 pubkey must be 32 bytes");
        if (slots[TokenSignature].IsPresent != slots[Token].IsPresent)
            return (MonitorError.BadArguments, "Invalid arguments: S= and T= belong together");
        if (slots[TokenSignature] is { IsPresent: true, Length: not Ed25519.SignatureLength })
            return (MonitorError.BadKey, "Provided S= subaccount signature must be 64 bytes");
        if (slots[Token] is { IsPresent: true, Length: not SubaccountToken.Length })
            return (MonitorError.BadKey, "Provided T= subaccount token must be 36 bytes");
        var data = slots[Data].Raw(request);
        if (slots[Data].IsPresent && !data.SequenceEqual("1"u8) && !data.SequenceEqual("0"u8))
            return (MonitorError.BadArguments, "Invalid arguments: d= must be 0 or 1");
        if (!slots[Namespaces].IsPresent)
            return (MonitorError.BadArguments, "Invalid arguments: n= is missing");
        if (!BencodeScan.IsListOf(slots[Namespaces].Raw(request), JsonTokenType.StartArray, JsonTokenType.Number))
            return (MonitorError.BadArguments, "Invalid arguments: n= must be a list of integers");
        if (!TryReadNamespaces(slots[Namespaces].Raw(request), out var namespaces))
            return (MonitorError.BadNamespaces, "Invalid n= namespace list: at least one namespace, in ascending order");
        if (slots[Account].IsPresent == slots[EdKey].IsPresent)
            return (MonitorError.BadArguments, "Invalid arguments: exactly one of p= and P= must be given");
        if (slots[Account] is { IsPresent: true, Length: not AccountId.Length })
            return (MonitorError.BadKey, "Provided p= pubkey must be 33 bytes");
        if (!slots[Signature].IsPresent)
            return (MonitorError.BadArguments, "Invalid arguments: s= is missing");
        if (slots[Signature].Length != Ed25519.SignatureLength)
            return (MonitorError.BadSignature, "Provided s= signature must be 64 bytes");
        if (!slots[Time].IsPresent)
            return (MonitorError.BadArguments, "Invalid arguments: t= is missing");
        if (BencodeScan.IntegerList(slots[Time].Raw(request), JsonTokenType.Number) is not [var time])
            return (MonitorError.BadArguments, "Invalid arguments: t= is out of range");

        // Compared in milliseconds, and wide: the time is the client's and may be anything.
        var ahead = ((Int128)time * 1000) - nowMs;
        if (ahead < -MaxAgeSeconds * 1000)
            return (MonitorError.BadTime, "Invalid t= signature timestamp: timestamp is too old");
        if (ahead > MaxAheadSeconds * 1000)
            return (MonitorError.BadTime, "Invalid t= signature timestamp: timestamp is in the future");

        AccountId account;
        ReadOnlySpan<byte> key;
        if (slots[EdKey].IsPresent)
        {
            key = slots[EdKey].Raw(request);
            Span<byte> converted = stackalloc byte[X25519.KeyLength];
            if (!Ed25519.TryConvertPublicKey(key, converted))
                return (MonitorError.BadKey, "Invalid P= ed25519 public key");
            account = new(AccountId.SessionPrefix, new Bytes32(converted));
        }
        else
        {
            account = AccountId.FromBytes(slots[Account].Raw(request));
            key = slots[Account].Raw(request)[1..];
        }

        if (slots[Token].IsPresent)
        {
            var token = new SubaccountToken(slots[Token].Raw(request));
            if (!token.IsFor(account.Prefix) || !token.Allows(SubaccountFlags.Read)
                || !Ed25519.Verify(key, token.AsSpan(), slots[TokenSignature].Raw(request)))
                return (MonitorError.BadSignature, "Subaccount verification failed");
            key = slots[Token].Raw(request)[4..];
        }

        subscription = new(account, namespaces, data.SequenceEqual("1"u8));
        return Ed25519.Verify(key, SignedText(subscription, time), slots[Signature].Raw(request))
            ? null
            : (MonitorError.BadSignature, "Signature verification failed");
    }

    private static readonly (int Member, JsonTokenType Type)[] Types =
    [
        (EdKey, JsonTokenType.String), (TokenSignature, JsonTokenType.String), (Token, JsonTokenType.String), (Data, JsonTokenType.Number),
        (Namespaces, JsonTokenType.StartArray), (Account, JsonTokenType.String), (Signature, JsonTokenType.String), (Time, JsonTokenType.Number),
    ];

    private static bool TryReadNamespaces(ReadOnlySpan<byte> list, out ImmutableArray<short> namespaces)
    {
        namespaces = [];
        var numbers = BencodeScan.IntegerList(list, JsonTokenType.StartArray);
        for (var i = 0; i < numbers.Length; i++)
        {
            if (numbers[i] is < short.MinValue or > short.MaxValue || (i > 0 && numbers[i] <= numbers[i - 1]))
                return false;
        }

        namespaces = ImmutableArray.CreateRange(numbers, static number => (short)number);
        return !numbers.IsEmpty;
    }
}
