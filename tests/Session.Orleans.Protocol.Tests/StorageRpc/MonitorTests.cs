using System.Text;
using System.Text.Json;
using CsCheck;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

/// <summary><c>monitor.messages</c> and <c>notify.message</c> (storage-rpc.md, 17).</summary>
public sealed class MonitorTests
{
    private const long Now = 1_750_000_000_000;
    private const long NowSeconds = Now / 1000;

    private static readonly JsonElement[] Recorded = [.. Vectors.Load("bt.json").GetProperty("vectors").EnumerateArray()];

    private static readonly Ed25519KeyPair Keys = new(new byte[32]);

    private static readonly byte[] Success = "d7:successi1ee"u8.ToArray();

    public static TheoryData<string> VectorNames =>
        [.. Recorded.Select(static vector => vector.Text("what")).Where(static what => what.StartsWith("monitor.messages", StringComparison.Ordinal))];

    [Theory, MemberData(nameof(VectorNames))]
    public void Vector_IsAccepted(string what)
    {
        var vector = Recorded.Single(vector => vector.Text("what") == what);
        var accepted = new List<MonitorSubscription>();

        Assert.Equal(Encoding.ASCII.GetBytes(vector.Text("expected_reply")), MonitorRequests.Execute(vector.Base64("encoded_base64"), Now, accepted));

        var subscription = Assert.Single(accepted);
        Assert.Equal(new short[] { -5, 0, 23 }, subscription.Namespaces);
        Assert.Equal(what.Contains("d=1", StringComparison.Ordinal), subscription.WithData);
        Assert.Equal(vector.Text("signed_text"), Encoding.ASCII.GetString(MonitorRequests.SignedText(subscription, NowSeconds)));
    }

    [Fact]
    public void NotificationVector_IsWritten()
    {
        var vector = Recorded.Single(static vector => vector.Text("what") == "notify.message body with data").Base64("encoded_base64");
        var account = AccountId.Parse("032814b91c63cc793abbfa3a606482bbd8d81cf407dcebb3c7cdeeef604316d7d8");
        var hash = MessageHash.Compute(account, 11, "g0"u8);

        Assert.Equal(vector, MonitorRequests.WriteNotification(account, hash, 11, Now, Now + 86_400_000, "g0"u8.ToArray()));

        var withoutData = MonitorRequests.WriteNotification(account, hash, 11, Now, Now + 86_400_000, data: null);
        Assert.Equal([.. vector[..^8], (byte)'e'], withoutData);
    }

    [Fact]
    public void List_IsAnsweredByAListOfTheSameLength()
    {
        var accepted = new List<MonitorSubscription>();
        object[] list = [Request(), Change(Request(), "t", 5), Request(account: true)];

        var reply = MonitorRequests.Execute(Bencoded.Write(list), Now, accepted);

        Assert.Equal(2, accepted.Count);
        Assert.Equal([Keys.SessionId, new AccountId(AccountId.GroupPrefix, Keys.PublicKey.Value)], accepted.Select(static subscription => subscription.Account));
        var text = Encoding.UTF8.GetString(reply);
        Assert.Matches("^ld7:successi1eed7:errcodei4e5:error[0-9]+:[^:]+: .*ed7:successi1eee$", text);
        Assert.Equal("le"u8.ToArray(), MonitorRequests.Execute("le"u8, Now, accepted));
    }

    public static TheoryData<string, MonitorError> Refusals => new()
    {
        { "not bencoded", MonitorError.BadArguments },
        { "empty", MonitorError.BadArguments },
        { "list of numbers", MonitorError.BadArguments },
        { "keys not sorted", MonitorError.BadArguments },
        { "no key", MonitorError.BadArguments },
        { "both keys", MonitorError.BadArguments },
        { "S without T", MonitorError.BadArguments },
        { "T without S", MonitorError.BadArguments },
        { "d is 2", MonitorError.BadArguments },
        { "d is text", MonitorError.BadArguments },
        { "no n", MonitorError.BadArguments },
        { "n is no list", MonitorError.BadArguments },
        { "n holds text", MonitorError.BadArguments },
        { "no s", MonitorError.BadArguments },
        { "no t", MonitorError.BadArguments },
        { "t is text", MonitorError.BadArguments },
        { "P too short", MonitorError.BadKey },
        { "P of small order", MonitorError.BadKey },
        { "p too long", MonitorError.BadKey },
        { "S too short", MonitorError.BadKey },
        { "T too short", MonitorError.BadKey },
        { "n empty", MonitorError.BadNamespaces },
        { "n descending", MonitorError.BadNamespaces },
        { "n twice the same", MonitorError.BadNamespaces },
        { "n out of range", MonitorError.BadNamespaces },
        { "t too old", MonitorError.BadTime },
        { "t too far ahead", MonitorError.BadTime },
        { "t absurd", MonitorError.BadTime },
        { "s too short", MonitorError.BadSignature },
        { "s of something else", MonitorError.BadSignature },
        { "d changed", MonitorError.BadSignature },
        { "Session ID as p", MonitorError.BadSignature },
        { "token without Read", MonitorError.BadSignature },
        { "token of another prefix", MonitorError.BadSignature },
        { "token signed by another", MonitorError.BadSignature },
        { "token, request signed by the account", MonitorError.BadSignature },
    };

    [Theory, MemberData(nameof(Refusals))]
    public void Refusal_HasItsCode(string what, MonitorError expected)
    {
        var accepted = new List<MonitorSubscription>();
        var reply = Encoding.UTF8.GetString(MonitorRequests.Execute(Malformed(what), Now, accepted));
        Assert.Empty(accepted);
        Assert.StartsWith($"d7:errcodei{(int)expected}e5:error", reply, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(MonitorRequests.MaxAheadSeconds)]
    [InlineData(-MonitorRequests.MaxAgeSeconds)]
    public void Time_AtTheLimit_IsAccepted(long offset) =>
        Assert.Equal(Success, MonitorRequests.Execute(Bencoded.Write(Request(time: NowSeconds + offset)), Now, []));

    [Theory]
    [InlineData(SubaccountFlags.Read, 3)]
    [InlineData(SubaccountFlags.Read | SubaccountFlags.AnyPrefix, 5)]
    public void Token_ThatMayRead_IsAccepted(SubaccountFlags flags, byte prefix) =>
        Assert.Equal(Success, MonitorRequests.Execute(Bencoded.Write(WithToken(flags, prefix)), Now, []));

    [Fact]
    public void AnyBytes_NeverThrow()
    {
        byte[][] valid = [.. Recorded.Select(static vector => vector.Base64("encoded_base64")), Bencoded.Write(new object[] { Request(), WithToken(SubaccountFlags.Read, 3) })];
        Fuzzing.Around(valid).Sample(static body => Assert.NotEmpty(MonitorRequests.Execute(body, Now, [])), iter: 10_000);
    }

    private static byte[] Malformed(string what) => what switch
    {
        "not bencoded" => "{}"u8.ToArray(),
        "empty" => [],
        "list of numbers" => "li1ee"u8.ToArray(),
        "keys not sorted" => "d1:ti1e1:di1ee"u8.ToArray(),
        "n empty" => Bencoded.Write(Request(namespaces: [])),
        "n descending" => Bencoded.Write(Request(namespaces: [1, 0])),
        "n twice the same" => Bencoded.Write(Request(namespaces: [1, 1])),
        "token without Read" => Bencoded.Write(WithToken(SubaccountFlags.Write | SubaccountFlags.Delete, 3)),
        "token of another prefix" => Bencoded.Write(WithToken(SubaccountFlags.Read, 5)),
        "t too old" => Bencoded.Write(Request(time: NowSeconds - MonitorRequests.MaxAgeSeconds - 1)),
        "t too far ahead" => Bencoded.Write(Request(time: NowSeconds + MonitorRequests.MaxAheadSeconds + 1)),
        _ => Bencoded.Write(what switch
        {
            "no key" => Change(Request(), "P"),
            "both keys" => Change(Request(), "p", new byte[33]),
            "S without T" => Change(WithToken(SubaccountFlags.Read, 3), "T"),
            "T without S" => Change(WithToken(SubaccountFlags.Read, 3), "S"),
            "d is 2" => Change(Request(), "d", 2),
            "d is text" => Change(Request(), "d", "1"),
            "no n" => Change(Request(), "n"),
            "n is no list" => Change(Request(), "n", 5),
            "n holds text" => Change(Request(), "n", new object[] { "0" }),
            "n out of range" => Change(Request(), "n", new object[] { 32768 }),
            "no s" => Change(Request(), "s"),
            "no t" => Change(Request(), "t"),
            "t is text" => Change(Request(), "t", "1750000000"),
            "t absurd" => Change(Request(), "t", long.MinValue),
            "P too short" => Change(Request(), "P", new byte[31]),
            "P of small order" => Change(Request(), "P", new byte[32]),
            "p too long" => Change(Request(account: true), "p", new byte[34]),
            "S too short" => Change(WithToken(SubaccountFlags.Read, 3), "S", new byte[63]),
            "T too short" => Change(WithToken(SubaccountFlags.Read, 3), "T", new byte[35]),
            "s too short" => Change(Request(), "s", new byte[63]),
            "s of something else" => Change(Request(), "n", new object[] { 7 }),
            "d changed" => Change(Request(), "d", 1),
            "Session ID as p" => Change(Change(Request(), "P"), "p", Bytes(Keys.SessionId)),
            "token signed by another" => Change(WithToken(SubaccountFlags.Read, 3), "S", new byte[64]),
            "token, request signed by the account" => Change(WithToken(SubaccountFlags.Read, 3), "s", Request(account: true)["s"]),
            _ => throw new ArgumentOutOfRangeException(nameof(what), what, null),
        }),
    };

    private static Dictionary<string, object> Request(bool account = false, long time = NowSeconds, short[]? namespaces = null, Ed25519KeyPair? signer = null)
    {
        var id = account ? new(AccountId.GroupPrefix, Keys.PublicKey.Value) : Keys.SessionId;
        namespaces ??= [-5, 0, 23];
        var signature = new byte[Ed25519.SignatureLength];
        (signer ?? Keys).Sign(MonitorRequests.SignedText(new(id, [.. namespaces], WithData: false), time), signature);
        return new()
        {
            [account ? "p" : "P"] = account ? Bytes(id) : Keys.PublicKey.AsSpan().ToArray(),
            ["n"] = namespaces.Select(static number => (object)(int)number).ToArray(),
            ["s"] = signature,
            ["t"] = time,
        };
    }

    private static Dictionary<string, object> WithToken(SubaccountFlags flags, byte prefix)
    {
        var holder = new Ed25519KeyPair([.. Enumerable.Repeat((byte)7, 32)]);
        var credential = SubaccountCredential.Issue(Keys, new(prefix, flags, holder.PublicKey));
        var request = Request(account: true, signer: holder);
        request["S"] = credential.Signature.AsSpan().ToArray();
        request["T"] = credential.Token.AsSpan().ToArray();
        return request;
    }

    private static Dictionary<string, object> Change(Dictionary<string, object> request, string name, object? value = null)
    {
        request.Remove(name);
        if (value is not null)
            request[name] = value;
        return request;
    }

    private static byte[] Bytes(AccountId account)
    {
        var bytes = new byte[AccountId.Length];
        account.CopyTo(bytes);
        return bytes;
    }
}
