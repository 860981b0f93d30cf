using System.Text;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Protocol.Tests.StorageRpc;

/// <summary>Rules of parameter syntax that no vector covers (storage-rpc.md, 1, 2 and the methods' sections).</summary>
public sealed class ParsingTests
{
    private const string Key = "eaefc048dd23b8aa76dcddb096909abe4e7d3d32b3c1d321af6eff6175abc4dd";
    private const string Session = "05d77438eadefc931c5a6acc9aa9036d83e134845254745eab1c2d3c9ab457721f";
    private const string Group = "032814b91c63cc793abbfa3a606482bbd8d81cf407dcebb3c7cdeeef604316d7d8";
    private const string Hash = "PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBCo";
    private const string OtherHash = "Y5CaroXTUswY3ZADwRe/SU2a80ewTTpY1Bh1X/eyOso";
    private static readonly string Signature = Convert.ToBase64String(new byte[64]);
    private static readonly string Token = Convert.ToBase64String(Enumerable.Range(1, 36).Select(static i => (byte)i).ToArray());

    /// <summary>Method, params and the text after <c>invalid request: </c>; P, G, S, H, T stand for good values.</summary>
    public static TheoryData<string, string, string> BadParameters => new()
    {
        // Types.
        { "store", """{"data":1}""", "Invalid value given for 'data': expected string" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":-1,"data":""}""", "Invalid value given for 'ttl': expected positive integer" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":-0,"data":""}""", "Invalid value given for 'ttl': expected positive integer" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":1.0,"data":""}""", "Invalid value given for 'ttl': expected positive integer" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":18446744073709551616,"data":""}""", "Invalid value given for 'ttl': expected positive integer" },
        { "store", """{"pubkey":P,"timestamp":1e3,"ttl":1,"data":""}""", "Invalid value given for 'timestamp': expected integer" },
        { "store", """{"pubkey":P,"timestamp":9223372036854775808,"ttl":1,"data":""}""", "Invalid value given for 'timestamp': expected integer" },
        { "store", """{"pubkey":P,"timestamp":true,"ttl":1,"data":""}""", "Invalid value given for 'timestamp': expected integer" },
        { "store", """{"pubkey":P,"timestamp":"+1","ttl":1,"data":""}""", "Invalid value given for 'timestamp': \"+1\"" },
        { "store", """{"pubkey":P,"timestamp":" 1","ttl":1,"data":""}""", "Invalid value given for 'timestamp': \" 1\"" },
        { "store", """{"pubkey":P,"timestamp":"","ttl":1,"data":""}""", "Invalid value given for 'timestamp': \"\"" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":"-1","data":""}""", "Invalid value given for 'ttl': \"-1\"" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":"1 ","data":""}""", "Invalid value given for 'ttl': \"1 \"" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":"99999999999999999999","data":""}""", "Invalid value given for 'ttl': \"99999999999999999999\"" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":"\u0041\n\"é\u0001","data":""}""", "Invalid value given for 'ttl': \"A\\n\\\"é\\u0001\"" },
        { "store", """{"pubkey":P,"timestamp":1,"expiry":999999999,"data":""}""", "Invalid timestamp for 'expiry': timestamp must be in milliseconds" },
        { "store", """{"pubkey":P,"timestamp":1,"expiry":"1750000000000","data":""}""", "Invalid value given for 'expiry': expected integer timestamp (in milliseconds)" },
        { "store", """{"sig_timestamp":-5}""", "Invalid value given for 'sig_timestamp': expected integer timestamp (in milliseconds)" },
        { "store", """{"sig_timestamp":1000000000}""", "Required field 'timestamp' missing" },
        { "store", """{"namespace":-32769}""", "Invalid value given for 'namespace': value out of range" },
        { "store", """{"namespace":18446744073709551615}""", "Invalid value given for 'namespace': value out of range" },
        { "store", """{"namespace":18446744073709551616}""", "Invalid value given for 'namespace': expected 16-bit integer" },
        { "store", """{"namespace":1.0}""", "Invalid value given for 'namespace': expected 16-bit integer" },
        { "store", """{"namespace":"all"}""", "Invalid value given for 'namespace': expected 16-bit integer" },
        { "delete_all", """{"namespace":32768}""", "Invalid value given for 'namespace': value out of range" },
        { "delete_all", """{"namespace":1.5}""", "Invalid value given for 'namespace': expected integer or \"all\"" },
        { "delete_all", """{"namespace":[]}""", "Invalid value given for 'namespace': expected integer or \"all\"" },
        { "delete_all", """{"namespace":"ALL"}""", "Invalid value given for 'namespace': expected integer or \"all\"" },
        { "retrieve", """{"max_count":"1"}""", "Invalid value given for 'max_count': expected integer" },
        { "retrieve", """{"max_size":1.5}""", "Invalid value given for 'max_size': expected integer" },
        { "retrieve", """{"pubkey":P,"timestamp":1000000000}""", "Required field 'signature' missing" },
        { "delete", """{"messages":{}}""", "Invalid value given for 'messages': expected string array" },
        { "delete", """{"messages":[H,1]}""", "Invalid value given for 'messages': expected string array" },
        { "delete", """{"messages":[null]}""", "Invalid value given for 'messages': expected string array" },
        { "delete", """{"messages":[[H]]}""", "Invalid value given for 'messages': expected string array" },
        { "delete", """{"required":1}""", "Invalid value given for 'required': expected boolean" },
        { "expire", """{"expiry":-1}""", "Invalid value given for 'expiry': expected timestamp array" },
        { "expire", """{"expiry":[1,"2"]}""", "Invalid value given for 'expiry': expected timestamp array" },
        { "expire", """{"extend":"true"}""", "Invalid value given for 'extend': expected boolean" },
        { "ifelse", """{"if":{"hf_at_least":[1,2.5]}}""", "Invalid value given for 'hf_at_least': expected integer array" },
        { "ifelse", """{"if":{"v_before":"2"}}""", "Invalid value given for 'v_before': expected integer array" },
        { "ifelse", """{"if":{"height_before":[1]}}""", "Invalid value given for 'height_before': expected integer" },
        { "oxend_request", """{"endpoint":5}""", "Invalid value given for 'endpoint': expected string" },

        // All types are checked first, in the order of the names, whatever the order in the text.
        { "store", """{"ttl":"x","namespace":1.5,"data":7}""", "Invalid value given for 'data': expected string" },
        { "store", """{"ttl":"x","namespace":1.5,"pubKey":7}""", "Invalid value given for 'namespace': expected 16-bit integer" },
        { "store", """{"ttl":"x","pubkey":7,"pubKey":7}""", "Invalid value given for 'pubKey': expected string" },
        { "store", """{"signature":7,"sig_timestamp":"x"}""", "Invalid value given for 'sig_timestamp': expected integer timestamp (in milliseconds)" },
        { "store", """{"expiry":1750000000000,"ttl":"x"}""", "Invalid value given for 'ttl': \"x\"" },
        { "retrieve", """{"last_hash":7,"lastHash":7}""", "Invalid value given for 'lastHash': expected string" },

        // Then the method's rules, in its order.
        { "store", """{"data":"***"}""", "Required field 'timestamp' missing" },
        { "store", """{"timestamp":1,"expiry":1750000000000,"ttl":1,"data":"***"}""", "Cannot specify both 'expiry' and 'ttl'" },
        { "store", """{"timestamp":1,"data":"***"}""", "Required field 'expiry' or 'ttl' missing" },
        { "store", """{"timestamp":1,"ttl":1,"data":"***","signature":"x"}""", "Required field 'pubkey' missing" },
        { "store", """{"pubkey":"05","timestamp":1,"ttl":1,"data":"***","signature":"x"}""", "Pubkey must be 66 hex digits (33 bytes) long" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":1,"data":"***","signature":"x"}""", "invalid signature: expected base64 encoded Ed25519 signature" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":1,"signature":"x"}""", "invalid signature: expected base64 encoded Ed25519 signature" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":1}""", "Required field 'data' missing" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":1,"data":null}""", "Required field 'data' missing" },
        { "store", """{"pubkey":P,"timestamp":1,"ttl":1,"data":"QQ==","data":null}""", "Required field 'data' missing" },
        { "retrieve", """{"pubkey":"zz","signature":"x"}""", "Pubkey must be 66 hex digits (33 bytes) long" },
        { "retrieve", """{"pubkey":P,"pubKey":P}""", "Cannot specify both 'pubkey' and 'pubKey'" },
        { "retrieve", """{}""", "Required field 'pubkey' missing" },
        { "retrieve", """{"pubkey":P,"pubkey_ed25519":"zz"}""", "Required field 'signature' missing" },
        { "retrieve", """{"pubkey":G,"pubkey_ed25519":"zz","signature":"x"}""", "pubkey_ed25519 is only permitted for 05[...] pubkeys" },
        { "retrieve", """{"pubkey":P,"pubkey_ed25519":"zz","signature":"x"}""", "Invalid pubkey_ed25519: expected 64 hex char or 32 byte pubkey" },
        { "retrieve", """{"pubkey":P,"pubkey_ed25519":"","signature":"x"}""", "Invalid pubkey_ed25519: expected 64 hex char or 32 byte pubkey" },
        { "retrieve", """{"pubkey":P,"pubkey_ed25519":"zzefc048dd23b8aa76dcddb096909abe4e7d3d32b3c1d321af6eff6175abc4dd","signature":"x"}""", "invalid pubkey_ed25519: value is not hex" },
        { "retrieve", """{"pubkey":P,"signature":""}""", "invalid signature: expected base64 encoded Ed25519 signature" },
        { "retrieve", """{"pubkey":P,"signature":S}""", "Required field 'timestamp' missing" },
        { "retrieve", """{"pubkey":P,"signature":S,"subaccount":"zz","timestamp":1750000000000}""", "invalid subaccount: expected base64 or hex-encoded subaccount token" },
        { "retrieve", """{"pubkey":P,"signature":S,"subaccount":T,"timestamp":1750000000000}""", "invalid subaccount: subaccount_sig is required when using subaccount" },
        { "retrieve", """{"pubkey":P,"signature":S,"subaccount":T,"subaccount_sig":"","timestamp":1750000000000}""", "invalid subaccount signature: expected base64 encoded Ed25519 signature" },
        { "get_expiries", """{"messages":[]}""", "Required field 'pubkey' missing" },
        { "get_expiries", """{"pubkey":P,"messages":[]}""", "Required field 'signature' missing" },
        { "get_expiries", """{"pubkey":P,"signature":S,"timestamp":1750000000000}""", "Required field 'messages' missing" },
        { "get_expiries", """{"pubkey":P,"signature":S,"messages":[],"timestamp":1750000000000}""", "messages does not contain any message hashes" },
        { "get_expiries", """{"pubkey":P,"signature":S,"messages":H}""", "Required field 'timestamp' missing" },
        { "delete", """{"pubKey":P}""", "Required field 'pubkey' missing" },
        { "delete", """{"pubkey":P,"signature":S}""", "Required field 'messages' missing" },
        { "delete", """{"pubkey":P,"signature":S,"messages":[H,"é\""]}""", "invalid message hash: é\"" },
        { "delete", """{"pubkey":P,"signature":S,"messages":["PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBC="]}""", "invalid message hash: PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBC=" },
        { "delete_all", """{"pubkey":P,"signature":S}""", "Required field 'timestamp' missing" },
        { "delete_before", """{"pubkey":P,"signature":S}""", "Required field 'before' missing" },
        { "expire_all", """{"pubkey":P,"signature":S}""", "Required field 'expiry' missing" },
        { "expire", """{"pubkey":P,"signature":S,"messages":[]}""", "Required field 'expiry' missing" },
        { "expire", """{"pubkey":P,"signature":S,"messages":[],"expiry":[],"shorten":true,"extend":true}""", "'expiry' does not contain any expiration timestamps" },
        { "expire", """{"pubkey":P,"signature":S,"messages":[],"expiry":[1,2],"shorten":true,"extend":true}""", "cannot specify both 'shorten' and 'extend'" },
        { "expire", """{"pubkey":P,"signature":S,"messages":[],"expiry":[1,2],"shorten":true,"extend":false}""", "messages does not contain any message hashes" },
        { "expire", """{"pubkey":P,"signature":S,"messages":H,"expiry":[1,2]}""", "'expiry' must be a single expiry, or the same length as 'messages'" },
        { "revoke_subaccount", """{"pubkey":P,"signature":S,"timestamp":1750000000000}""", "Required field 'revoke' missing" },
        { "revoke_subaccount", """{"pubkey":P,"signature":S,"revoke":T}""", "Required field 'timestamp' missing" },
        { "unrevoke_subaccount", """{"pubkey":P,"signature":S,"timestamp":1750000000000,"unrevoke":[T,""]}""", "invalid unrevoke: expected base64 or hex-encoded subaccount tag" },
        { "get_swarm", """{"pubkey":P,"pubKey":P}""", "Cannot specify both 'pubkey' and 'pubKey'" },
        { "get_snodes_for_pubkey", """{"pubKey":"05"}""", "Pubkey must be 66 hex digits/33 bytes long" },
        { "oxend_request", "{}", "Required field 'endpoint' missing" },
        { "oxend_request", """{"endpoint":"\"é"}""", "Invalid oxend endpoint '\"é'" },

        // Requests made of others.
        { "batch", "{}", "Invalid batch request: no valid \"requests\" field" },
        { "batch", """{"requests":{}}""", "Invalid batch request: no valid \"requests\" field" },
        { "batch", """{"requests":null}""", "Invalid batch request: no valid \"requests\" field" },
        { "sequence", """{"requests":[1]}""", "Invalid batch request: requests must be objects" },
        { "sequence", """{"requests":[null]}""", "Invalid batch request: requests must be objects" },
        { "batch", """{"requests":[{"method":1,"params":{}}]}""", "Invalid batch request: subrequests must have method/params keys" },
        { "batch", """{"requests":[{"method":"info","params":[]}]}""", "Invalid batch request: subrequests must have method/params keys" },
        { "batch", """{"requests":[{"method":"a\"b","params":{}}]}""", "Invalid batch subrequest: invalid method \"a\"b\"" },
        { "batch", """{"requests":[{"method":"ifelse","params":{}}]}""", "Invalid batch subrequest: subrequests may not contain meta-requests" },
        { "sequence", """{"requests":[{"method":"sequence","params":{}}]}""", "Invalid batch subrequest: subrequests may not contain meta-requests" },
        { "batch", """{"requests":[{"method":"get_swarm","params":{}},7]}""", "Required field 'pubkey' missing" },
        { "ifelse", "{}", "Invalid ifelse request: no valid \"if\" field" },
        { "ifelse", """{"if":[]}""", "Invalid ifelse request: no valid \"if\" field" },
        { "ifelse", """{"if":{"hf_before":[],"height_before":null}}""", "Invalid ifelse request: must specify at least one \"if\" condition" },
        { "ifelse", """{"if":{"hf_before":19},"then":null}""", "Invalid ifelse request: at least one of \"then\"/\"else\" required" },
        { "ifelse", """{"if":{"hf_before":19},"then":[]}""", "Invalid ifelse request: then must be an object" },
        { "ifelse", """{"if":{"hf_before":19},"else":7}""", "Invalid ifelse request: else must be an object" },
        { "ifelse", """{"if":{"hf_before":19},"then":{"method":"info"}}""", "Invalid ifelse request: then must have method/params keys" },
        { "ifelse", """{"if":{"hf_before":19},"else":{"params":{}}}""", "Invalid ifelse request: else must have method/params keys" },
        { "ifelse", """{"if":{"hf_before":19},"then":{"method":"nope","params":{}}}""", "Invalid ifelse request method \"then\"" },
        { "ifelse", """{"if":{"hf_before":19},"else":{"method":"get_swarm","params":{}}}""", "Required field 'pubkey' missing" },
    };

    [Theory, MemberData(nameof(BadParameters))]
    public void TryParse_BadParameters_IsRefusedWithTheFirstError(string method, string parameters, string text)
    {
        Assert.False(TryParse(method, parameters, out _, out var error));
        Assert.Equal(new StorageError(400, "invalid request: " + text), error);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("{}x")]
    [InlineData("{} {}")]
    [InlineData("""{"method":"info","params":{}},""")]
    [InlineData("""{"method":"info","params":{},}""")]
    [InlineData("""{"method":"info","params":{"a":01}}""")]
    [InlineData("""{"method":"info","params":{"a":+1}}""")]
    [InlineData("""{"method":"info","params":{"a":NaN}}""")]
    [InlineData("""{"method":"info","params":{"a":"\x"}}""")]
    [InlineData("""{"method":"info","params":{"a":"\ud800"}}""")]
    [InlineData("""{"method":"info","params":{"a":"\ud800\u0041"}}""")]
    [InlineData("""{"method":"info","params":{"\udc00":1}}""")]
    [InlineData("""{"method":"info","params":{"a":1}/* */}""")]
    [InlineData("'method'")]
    [InlineData("\"\\ud800\"")]
    public void TryParse_NotJson_SaysInvalidJson(string body)
    {
        Assert.False(StorageRequest.TryParse(Encoding.UTF8.GetBytes(body), default, out _, out var error));
        Assert.Equal(StorageError.InvalidJson, error);
    }

    [Fact]
    public void TryParse_NotUtf8_SaysInvalidJson()
    {
        byte[] body = [.. """{"method":"info","params":{"a":" """u8, 0xff, .. "\"}}"u8];
        Assert.False(StorageRequest.TryParse(body, default, out _, out var error));
        Assert.Equal(StorageError.InvalidJson, error);
    }

    [Theory]
    [InlineData(60, true)]
    [InlineData(70, false)]
    [InlineData(100_000, false)]
    public void TryParse_DeepNesting_IsLimited(int depth, bool accepted)
    {
        var body = $$$"""{"method":"info","params":{"x":{{{new string('[', depth)}}}{{{new string(']', depth)}}} }}""";
        Assert.Equal(accepted, StorageRequest.TryParse(Encoding.UTF8.GetBytes(body), default, out _, out var error));
        Assert.Equal(accepted ? default : StorageError.InvalidJson, error);
    }

    [Theory]
    [InlineData("null", "invalid json: no `method` field")]
    [InlineData("\"info\"", "invalid json: no `method` field")]
    [InlineData("""{"x":{"method":"info","params":{}}}""", "invalid json: no `method` field")]
    [InlineData("""{"method":null,"params":{}}""", "invalid json: no `method` field")]
    [InlineData("""{"method":"nope","params":null}""", "invalid json: no `params` field")]
    [InlineData("""{"method":"nope","params":"{}"}""", "invalid json: no `params` field")]
    [InlineData("""{"method":"a\"\u00e9","params":{}}""", "no method a\"é")]
    [InlineData("""{"method":"Info","params":{}}""", "no method Info")]
    [InlineData("""{"method":"info","params":{},"params":1}""", "invalid json: no `params` field")]
    public void TryParse_BadEnvelope_IsRefused(string body, string text)
    {
        Assert.False(StorageRequest.TryParse(Encoding.UTF8.GetBytes(body), default, out _, out var error));
        Assert.Equal(new StorageError(400, text), error);
    }

    [Fact]
    public void TryParse_DuplicateAndUnknownMembers_LastWinsAndRestIsIgnored()
    {
        var body = $$$"""
            {"jsonrpc":"2.0","id":[{"method":7}],"params":7,"method":"nope","method":"store",
             "params":{"pubkey":7,"pubkey":"{{{Session}}}","params":{"pubkey":1},"timestamp":5,"tt\u006c":20,"data":"x","\u0064ata":"QQ","maxSize":{} } }
            """;
        Assert.True(StorageRequest.TryParse(Encoding.UTF8.GetBytes(body), default, out var request, out var error), error.Text);
        var store = Assert.IsType<StoreRequest>(request);
        Assert.Equal((5, 25), (store.Timestamp, store.Expiry));
        Assert.Equal("A"u8, store.Data.Span);
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("QQ==", "A")]
    [InlineData("QQ", "A")]
    [InlineData("QR==", "A")]
    [InlineData("QUJ=", "AB")]
    [InlineData("QUI=", "AB")]
    [InlineData("QUI", "AB")]
    [InlineData("QUJD", "ABC")]
    [InlineData("QUJDRA", "ABCD")]
    [InlineData("QUJDRA==", "ABCD")]
    [InlineData("Pz8\\/", "???")]
    [InlineData("\\u0051QUJD\\u003d\\u003D=", null)]
    [InlineData("\\u0051Q\\u003d\\u003D", "A")]
    [InlineData("Q", null)]
    [InlineData("QUJDR", null)]
    [InlineData("Q===", null)]
    [InlineData("QQ=", null)]
    [InlineData("=", null)]
    [InlineData("====", null)]
    [InlineData("QUI==", null)]
    [InlineData("QQ==QQ==", null)]
    [InlineData("QU JD", null)]
    [InlineData("QUJD\\n", null)]
    [InlineData("QUJ\\n", null)]
    [InlineData("QU-_", null)]
    [InlineData("QUJé", null)]
    public void Store_Base64Forms_AreTakenAsSpecified(string base64, string? data)
    {
        var parsed = TryParse("store", $$"""{"pubkey":P,"timestamp":1,"ttl":1,"data":"{{base64}}"}""", out var request, out var error);
        if (data is null)
            Assert.Equal("invalid request: Invalid 'data' value: not base64 encoded", error.Text);
        else
            Assert.Equal(data, Encoding.ASCII.GetString(Assert.IsType<StoreRequest>(request).Data.Span));
        Assert.Equal(data is not null, parsed);
    }

    [Theory]
    [InlineData("\"-1750000000000\"", "\"007\"", -1_750_000_000_000, -1_749_999_999_993)]
    [InlineData("\"\\u0031\"", "\"\\u0032\"", 1, 3)]
    [InlineData("-0", "0", 0, 0)]
    [InlineData("-9223372036854775808", "18446744073709551615", long.MinValue, long.MaxValue)]
    [InlineData("9223372036854775807", "18446744073709551615", long.MaxValue, long.MaxValue)]
    public void Store_OddTimes_AreReadWithoutOverflow(string timestamp, string ttl, long start, long end)
    {
        Assert.True(TryParse("store", $$"""{"pubkey":P,"timestamp":{{timestamp}},"ttl":{{ttl}},"data":""}""", out var request, out var error), error.Text);
        var store = Assert.IsType<StoreRequest>(request);
        Assert.Equal((start, end), (store.Timestamp, store.Expiry));
        Assert.Equal(403, store.Check(new(1_750_000_000_000, new(19, 4)))?.Status);
    }

    [Fact]
    public void Store_LargestAndEscapedData_IsDecoded()
    {
        var data = Enumerable.Range(0, StorageLimits.MaxMessageBytes).Select(static i => (byte)(i * 7)).ToArray();
        var base64 = Convert.ToBase64String(data);
        foreach (var text in new[] { base64, base64.Replace("/", "\\/", StringComparison.Ordinal) })
        {
            Assert.True(TryParse("store", $$"""{"pubkey":P,"timestamp":1,"ttl":1,"data":"{{text}}"}""", out var request, out var error), error.Text);
            Assert.Equal(data, Assert.IsType<StoreRequest>(request).Data.ToArray());
        }
    }

    [Fact]
    public void Store_WithoutSignature_IgnoresTheOtherSignatureFields()
    {
        Assert.True(TryParse(
            "store", """{"pubkey":G,"timestamp":1,"ttl":1,"data":"","pubkey_ed25519":"zz","subaccount":"zz","subaccount_sig":"zz"}""",
            out var request, out var error), error.Text);
        Assert.Null(Assert.IsType<StoreRequest>(request).Authentication);
    }

    [Theory]
    [InlineData(Session, false, Session)]
    [InlineData("05D77438EADEFC931C5A6ACC9AA9036D83E134845254745EAB1C2D3C9AB457721F", false, Session)]
    [InlineData("ffd77438eadefc931c5a6acc9aa9036d83e134845254745eab1c2d3c9ab457721f", false, "ffd77438eadefc931c5a6acc9aa9036d83e134845254745eab1c2d3c9ab457721f")]
    [InlineData("\\u0005abcdefghijklmnopqrstuvwxyz012345", false, "056162636465666768696a6b6c6d6e6f707172737475767778797a303132333435")]
    [InlineData("d77438eadefc931c5a6acc9aa9036d83e134845254745eab1c2d3c9ab457721f", false, null)]
    [InlineData("d77438eadefc931c5a6acc9aa9036d83e134845254745eab1c2d3c9ab457721f", true, Session)]
    [InlineData("05d77438eadefc931c5a6acc9aa9036d83e134845254745eab1c2d3c9ab45772g", true, null)]
    [InlineData("", true, null)]
    public void Pubkey_Forms_AreTakenAsSpecified(string pubkey, bool testNetwork, string? account)
    {
        var body = Encoding.UTF8.GetBytes($$"""{"method":"get_swarm","params":{"pubkey":"{{pubkey}}"} }""");
        var parsed = StorageRequest.TryParse(body, new(testNetwork), out var request, out var error);
        Assert.Equal(account is not null, parsed);
        if (parsed)
            Assert.Equal(account, Assert.IsType<GetSwarmRequest>(request).Account.ToString());
        else
            Assert.Equal("invalid request: Pubkey must be 66 hex digits/33 bytes long", error.Text);
    }

    [Fact]
    public void SignatureFields_OtherForms_AreTaken()
    {
        var bytes = Enumerable.Range(1, 64).Select(static i => (byte)i).ToArray();
        var token = Enumerable.Range(1, 36).Select(static i => (byte)i).ToArray();
        var parameters = $$"""
            {"pubkey":P,"pubkey_ed25519":"abcdefghijklmnopqrstuvwxyz012345","signature":"{{Convert.ToBase64String(bytes)[..86]}}",
             "subaccount":"{{Convert.ToHexString(token)}}","subaccount_sig":"{{Convert.ToBase64String(bytes).Replace("/", "\\/", StringComparison.Ordinal)}}","timestamp":1750000000000}
            """;
        Assert.True(TryParse("retrieve", parameters, out var request, out var error), error.Text);
        var authentication = Assert.IsType<RetrieveRequest>(request).Authentication!;
        Assert.Equal(new RequestSignature(bytes), authentication.Signature);
        Assert.Equal("abcdefghijklmnopqrstuvwxyz012345"u8, authentication.Ed25519Key!.Value.AsSpan());
        Assert.Equal(new SubaccountCredential(new(token), new(bytes)), authentication.Subaccount);
    }

    [Theory]
    [InlineData("87 characters", 87)]
    [InlineData("88 without padding", 88)]
    [InlineData("85 characters", 85)]
    public void Signature_OfAnotherLength_IsRefused(string why, int length)
    {
        Assert.False(TryParse("retrieve", $$"""{"pubkey":P,"signature":"{{new string('A', length)}}"}""", out _, out var error), why);
        Assert.Equal("invalid request: invalid signature: expected base64 encoded Ed25519 signature", error.Text);
    }

    [Fact]
    public void Subaccount_Empty_CountsAsAbsent()
    {
        Assert.True(TryParse(
            "retrieve", """{"pubkey":P,"signature":S,"subaccount":"","subaccount_sig":"zz","timestamp":1750000000000}""", out var request, out var error), error.Text);
        Assert.Null(Assert.IsType<RetrieveRequest>(request).Authentication!.Subaccount);
    }

    [Fact]
    public void Revocation_IgnoresSubaccountFields()
    {
        Assert.True(TryParse(
            "revoke_subaccount",
            """{"pubkey":G,"signature":S,"revoke":[T,T],"subaccount":7,"subaccount_sig":{},"timestamp":1750000000000}""", out var request, out var error), error.Text);
        var revoke = Assert.IsType<RevokeSubaccountRequest>(request);
        Assert.Equal(2, revoke.Tokens.Length);
        Assert.Null(revoke.Authentication!.Subaccount);
        Assert.Null(revoke.TokenCheck);
    }

    [Fact]
    public void Retrieve_Limits_AreReadAndCut()
    {
        Assert.True(TryParse("retrieve", """{"pubkey":P,"namespace":-10,"max_count":99999999999,"max_size":-99999999999}""", out var request, out var error), error.Text);
        var retrieve = Assert.IsType<RetrieveRequest>(request);
        Assert.Equal((int.MaxValue, int.MinValue, null), (retrieve.MaxCount, retrieve.MaxSize, retrieve.Authentication));
    }

    [Theory]
    [InlineData(null, "lastHash", Hash, true)]
    [InlineData(null, "last_hash", Hash, true)]
    [InlineData(null, "last_hash", "", false)]
    [InlineData("a hash with trailing bits names nothing", "last_hash", "PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBCp", false)]
    public void Retrieve_LastHash_IsReadUnderBothNames(string? why, string name, string value, bool known)
    {
        Assert.True(TryParse("retrieve", $$"""{"pubkey":P,"namespace":-10,"{{name}}":"{{value}}"}""", out var request, out var error), error.Text);
        Assert.Equal(known ? value : null, Assert.IsType<RetrieveRequest>(request).LastHash?.ToString());
        _ = why;
    }

    [Fact]
    public void Lists_OneValueOrMany_AreTheSame()
    {
        Assert.True(TryParse("expire", """{"pubkey":P,"signature":S,"messages":H,"expiry":5,"shorten":false,"extend":true}""", out var one, out _));
        var expire = Assert.IsType<ExpireRequest>(one);
        Assert.Equal([5L], expire.Expiries);
        Assert.Equal(Hash, Assert.Single(expire.Messages).ToString());
        Assert.Equal((false, true, ExpireMode.Extend), (expire.Shorten, expire.Extend, expire.Mode));

        Assert.True(TryParse("get_expiries", """{"pubkey":P,"signature":S,"timestamp":1750000000000,"messages":["","\u00e9\n",H]}""", out var many, out _));
        Assert.Equal(["", "é\n", Hash], Assert.IsType<GetExpiriesRequest>(many).Messages.Select(static text => text.ToString()));
    }

    [Fact]
    public void Hash_WithTrailingBits_KeepsItsTextAndNamesNothing()
    {
        const string Odd = "PE3RUdfjItolfRJSuM73EeFc3wftGFK2lrvykeuTBCp";
        Assert.True(TryParse("delete", $$"""{"pubkey":P,"signature":S,"messages":[H,"{{Odd}}"]}""", out var request, out _));
        var messages = Assert.IsType<DeleteRequest>(request).Messages;
        Assert.Equal(Odd, messages[1].ToString());
        Assert.False(messages[1].TryGetHash(out _));
        Assert.True(messages[0].TryGetHash(out var hash));
        Assert.Equal(messages[0], new MessageHashText(hash));
    }

    [Fact]
    public void TryParse_RequestOutlivesItsBody()
    {
        var body = Encoding.UTF8.GetBytes(Body("delete", $$"""{"pubkey":P,"signature":S,"messages":[H,"{{OtherHash}}"]}"""));
        Assert.True(StorageRequest.TryParse(body, default, out var request, out _));
        Array.Clear(body);
        Assert.Equal([Hash, OtherHash], Assert.IsType<DeleteRequest>(request).Messages.Select(static text => text.ToString()));
    }

    [Fact]
    public void Batch_OfTwenty_KeepsTheOrder()
    {
        var requests = string.Join(',', Enumerable.Range(0, 20).Select(static i => i % 2 == 0
            ? """{"method":"info","params":{},"x":[]}"""
            : """{"params":{"pubkey":P},"method":"get_sn\u006fdes_for_pubkey"}"""));
        Assert.True(TryParse("sequence", $$"""{"requests":[{{requests}}]}""", out var request, out var error), error.Text);
        var sequence = Assert.IsType<SequenceRequest>(request);
        Assert.Equal(20, sequence.Requests.Length);
        for (var i = 0; i < 20; i++)
            Assert.Equal(i % 2 == 0 ? "info" : "get_swarm", sequence.Requests[i].Method);
    }

    [Fact]
    public void IfElse_Nested_MayHoldBatches()
    {
        const string Inner = """{"method":"ifelse","params":{"if":{"v_at_least":[2,8]},"else":{"method":"batch","params":{"requests":[{"method":"info","params":{}}]}}}}""";
        Assert.True(TryParse("ifelse", $$"""{"if":{"hf_at_least":[19,3,7]},"then":{{Inner}},"else":null}""", out var request, out var error), error.Text);
        var outer = Assert.IsType<IfElseRequest>(request);
        Assert.Null(outer.Else);
        Assert.IsType<BatchRequest>(Assert.IsType<IfElseRequest>(outer.Then).Else);
    }

    [Theory]
    [InlineData("""{"hf_at_least":19}""", true)]
    [InlineData("""{"hf_at_least":[19,4]}""", true)]
    [InlineData("""{"hf_at_least":[19,4,9]}""", true)]
    [InlineData("""{"hf_at_least":[19,5]}""", false)]
    [InlineData("""{"hf_at_least":20}""", false)]
    [InlineData("""{"hf_before":[19,4]}""", false)]
    [InlineData("""{"hf_before":[19,5]}""", true)]
    [InlineData("""{"hf_before":[20,-1]}""", true)]
    [InlineData("""{"hf_before":19}""", false)]
    [InlineData("""{"v_at_least":[2,8,0]}""", true)]
    [InlineData("""{"v_at_least":[2,8,1]}""", false)]
    [InlineData("""{"v_before":[2,9]}""", true)]
    [InlineData("""{"v_before":2}""", false)]
    [InlineData("""{"height_at_least":1000}""", true)]
    [InlineData("""{"height_at_least":1001}""", false)]
    [InlineData("""{"height_before":1000}""", false)]
    [InlineData("""{"height_before":1001,"hf_at_least":19,"v_at_least":2}""", true)]
    [InlineData("""{"height_before":1001,"hf_at_least":19,"v_at_least":3}""", false)]
    public void IfElse_Condition_IsDecidedAsSpecified(string condition, bool holds)
    {
        Assert.True(TryParse("ifelse", $$$"""{"if":{{{condition}}},"then":{"method":"info","params":{}} }""", out var request, out var error), error.Text);
        Assert.Equal(holds, Assert.IsType<IfElseRequest>(request).Condition.Holds(new(19, 4), 1000));
    }

    [Theory]
    [InlineData("""{"endpoint":"ons_resolve","params":{"a":[1, 2]}}""", """{"a":[1, 2]}""")]
    [InlineData("""{"endpoint":"ons_resolve","params":null}""", "")]
    [InlineData("""{"endpoint":"get_service_nodes"}""", "")]
    public void Oxend_Parameters_AreKeptAsText(string parameters, string json)
    {
        Assert.True(TryParse("oxend_request", parameters, out var request, out var error), error.Text);
        Assert.Equal(json, Encoding.UTF8.GetString(Assert.IsType<OxendRequest>(request).ParametersJson.Span));
    }

    [Theory]
    [InlineData("info", "{", "invalid json")]
    [InlineData("info", "[]", "invalid json: no `params` field")]
    [InlineData("nope", "{}", "no method nope")]
    [InlineData("get_swarm", "{}", "invalid request: Required field 'pubkey' missing")]
    public void TryParseParameters_Errors_AreThoseOfTheBody(string method, string parameters, string text)
    {
        Assert.False(StorageRequest.TryParseParameters(
            Encoding.UTF8.GetBytes(method), Encoding.UTF8.GetBytes(parameters), default, out _, out var error));
        Assert.Equal(new StorageError(400, text), error);
        Assert.True(StorageRequest.TryParseParameters("info"u8, "{}"u8, default, out var request, out _));
        Assert.IsType<InfoRequest>(request);
    }

    [Fact]
    public void Pubkey_AccountKeyUnderAnyPrefix_IsLegal() =>
        Assert.Equal(0xab, Assert.IsType<GetSwarmRequest>(Parse("get_swarm", $$"""{"pubkey":"ab{{Key}}"}""")).Account.Prefix);

    private static StorageRequest Parse(string method, string parameters) =>
        TryParse(method, parameters, out var request, out var error) ? request! : throw new FormatException(error.Text);

    private static bool TryParse(string method, string parameters, out StorageRequest? request, out StorageError error) =>
        StorageRequest.TryParse(Encoding.UTF8.GetBytes(Body(method, parameters)), default, out request, out error);

    private static string Body(string method, string parameters)
    {
        foreach (var (name, value) in new[] { ("P", Session), ("G", Group), ("S", Signature), ("H", Hash), ("T", Token) })
        {
            foreach (var before in ":[,")
                parameters = parameters.Replace(before + name, $"{before}\"{value}\"", StringComparison.Ordinal);
        }

        return $$"""{"method":"{{method}}","params":{{parameters}} }""";
    }
}
