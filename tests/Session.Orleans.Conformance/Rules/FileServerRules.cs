using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Session.Orleans.Conformance.Harness;

namespace Session.Orleans.Conformance.Rules;

/// <summary>Every route of the file server, directly and through onions.</summary>
[Section("file-server.md", "3")]
public sealed class FileServerRules(Networks networks) : RuleSet(networks)
{
    private const string Unknown = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    [Theory, Everywhere]
    [Section("file-server.md", "3.1")]
    public async Task Upload_IsAnsweredWithAStringIdAndItsExpiry(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        var reply = await server.SendAsync(via, "POST", "/file", RandomNumberGenerator.GetBytes(1000));

        var json = reply.ShouldBeJson();
        Assert.Equal(["expires", "id"], json.Names());
        Assert.Matches("^[A-Za-z0-9_-]{1,44}$", json.GetProperty("id").GetString());
        var lives = json.GetProperty("expires").GetDouble() - (server.Network.Now / 1000.0);
        Assert.InRange(lives, 1_814_400 - 60, 1_814_400 + 60);
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.1")]
    public async Task Upload_OfNothing_Is413(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        ShouldBeStatus(await server.SendAsync(via, "POST", "/file", []), 413);
        ShouldBeStatus(await server.SendAsync(via, "POST", "/file"), 413);
    }

    [Theory, OnEveryStore]
    [Section("file-server.md", "3.1")]
    public async Task Upload_BeyondEveryLimit_Is413(Store store)
    {
        var server = await ServerAsync(store);
        ShouldBeStatus(await server.SendAsync(Transport.Direct, "POST", "/file", new byte[12_000_000]), 413);
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.1")]
    public async Task Upload_OfTheReferenceServersLargestFile_IsTaken(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        var bytes = RandomNumberGenerator.GetBytes(6_000_000);
        var id = await UploadAsync(server, bytes, via);
        Assert.True((await server.SendAsync(via, "GET", "/file/" + id)).Body.AsSpan().SequenceEqual(bytes));
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.2")]
    public async Task SameBytes_HaveTheSameIdAndAnotherByteAnother(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        var bytes = RandomNumberGenerator.GetBytes(500);
        var id = await UploadAsync(server, bytes, via);
        Assert.Equal(44, id.Length);
        Assert.Equal(id, await UploadAsync(server, bytes, Transport.Direct));
        bytes[0] ^= 1;
        Assert.NotEqual(id, await UploadAsync(server, bytes, via));
        Assert.Equal("tKO2VVg1JPHwgZuvqK_7bDHJeSr4UJ_8i13ETlwAn0jB", await UploadAsync(server, "hello"u8.ToArray(), via)); // a recorded one
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.3")]
    public async Task Download_IsTheRawBytes(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        foreach (var length in (int[])[1, 777, 65_535, 65_536, 65_537, 300_000])
        {
            var bytes = RandomNumberGenerator.GetBytes(length);
            var reply = await server.SendAsync(via, "GET", "/file/" + await UploadAsync(server, bytes, via));
            reply.Should(reply is { Status: 200, ContentType: "application/octet-stream" }, "200 application/octet-stream");
            Assert.Equal(bytes, reply.Body);
        }
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.3")]
    public async Task Download_OfWhatIsNotThere_Is404(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        foreach (var id in (string[])[Unknown, "123", "a", Unknown + "A", "a.b", "%20", "%2e%2e", "é"])
            ShouldBeStatus(await server.SendAsync(via, "GET", "/file/" + id), 404);
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.4")]
    public async Task Info_TellsSizeAndTimes(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        var id = await UploadAsync(server, RandomNumberGenerator.GetBytes(777), via);
        var json = (await server.SendAsync(via, "GET", $"/file/{id}/info")).ShouldBeJson();
        Assert.Equal(["expires", "size", "uploaded"], json.Names());
        Assert.Equal(777, json.GetProperty("size").GetInt32());
        Assert.InRange(json.GetProperty("uploaded").GetDouble() - (server.Network.Now / 1000.0), -60, 60);
        Assert.InRange(json.GetProperty("expires").GetDouble() - json.GetProperty("uploaded").GetDouble(), 1_814_399, 1_814_401);
        ShouldBeStatus(await server.SendAsync(via, "GET", $"/file/{Unknown}/info"), 404);
        ShouldBeStatus(await server.SendAsync(via, "GET", "/file/12/info"), 404);
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.5")]
    public async Task Extend_PutsTheExpiryOffAndLeavesTheUploadTime(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        var id = await UploadAsync(server, RandomNumberGenerator.GetBytes(50), via);
        var before = (await server.SendAsync(via, "GET", $"/file/{id}/info")).ShouldBeJson();
        await Task.Delay(20, TestContext.Current.CancellationToken);
        var after = (await server.SendAsync(via, "POST", $"/file/{id}/extend")).ShouldBeJson();

        Assert.Equal(["expires", "size", "uploaded"], after.Names());
        Assert.Equal(before.GetProperty("uploaded").GetDouble(), after.GetProperty("uploaded").GetDouble());
        Assert.True(after.GetProperty("expires").GetDouble() > before.GetProperty("expires").GetDouble());
        Assert.Equal(after.GetProperty("expires").GetDouble(), (await server.SendAsync(via, "GET", $"/file/{id}/info")).ShouldBeJson().GetProperty("expires").GetDouble());
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.5")]
    public async Task Extend_OfWhatIsNotThereOrOnlyANumber_Is404(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        foreach (var id in (string[])[Unknown, "123", "a.b"])
            ShouldBeStatus(await server.SendAsync(via, "POST", $"/file/{id}/extend"), 404);
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.6")]
    public async Task Base64Routes_ShareTheFiles(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        foreach (var length in (int[])[1, 2, 3, 65_537, 200_000])
        {
            var bytes = RandomNumberGenerator.GetBytes(length);
            var text = Convert.ToBase64String(bytes);
            var stored = (await server.SendAsync(via, "POST", "/files", Encoding.ASCII.GetBytes($$"""{"file":"{{text.TrimEnd('=')}}"}"""))).ShouldBeJson();
            Assert.Equal(200, stored.GetProperty("status_code").GetInt32());
            var id = stored.GetProperty("result").GetString();
            Assert.Equal(bytes, (await server.SendAsync(via, "GET", "/file/" + id)).Body);
            var read = (await server.SendAsync(via, "GET", "/files/" + id)).ShouldBeJson();
            Assert.Equal((200, text), (read.GetProperty("status_code").GetInt32(), read.GetProperty("result").GetString()));
        }

        ShouldBeStatus(await server.SendAsync(via, "GET", "/files/" + Unknown), 404);
    }

    [Theory]
    [Everywhere("{}", 400)]
    [Everywhere("", 400)]
    [Everywhere("[]", 400)]
    [Everywhere("""{"file":7}""", 400)]
    [Everywhere("""{"file":"*"}""", 400)]
    [Everywhere("""{"file":""}""", 413)]
    [Section("file-server.md", "3.6")]
    public async Task Base64Upload_OfBadInput_IsRefused(Store store, Transport via, string body, int status) =>
        ShouldBeStatus(await (await ServerAsync(store)).SendAsync(via, "POST", "/files", Encoding.ASCII.GetBytes(body)), status);

    [Theory, Everywhere]
    [Section("file-server.md", "3.7")]
    public async Task SessionVersion_NamesARelease(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        foreach (var platform in (string[])["desktop", "android", "ios"])
        {
            var json = (await server.SendAsync(via, "GET", $"/session_version?platform={platform}&release_channel=stable")).ShouldBeJson();
            Assert.Equal(200, json.GetProperty("status_code").GetInt32());
            Assert.Matches(@"^\d+\.\d+\.\d+$", json.GetProperty("result").GetString());
            Assert.True(json.GetProperty("updated").GetDouble() > 0);
        }

        foreach (var query in (string[])["", "?platform=", "?platform=beos"])
            ShouldBeStatus(await server.SendAsync(via, "GET", "/session_version" + query), 404);
    }

    [Theory, Everywhere]
    [Section("file-server.md", "3.7")]
    public async Task SessionVersion_ChecksTheSignatureIfThereIsOne(Store store, Transport via)
    {
        var server = await ServerAsync(store);
        const string Target = "/session_version?platform=desktop";
        using var key = Crypto.NewSigningKey();
        var id = "07" + Convert.ToHexStringLower(key.PublicKey.Export(NSec.Cryptography.KeyBlobFormat.RawPublicKey));
        var now = server.Network.Now / 1000;

        (await CheckAsync(now, Target)).ShouldBeJson();
        var changed = await CheckAsync(now, Target + "&release_channel=alpha");
        Assert.Equal((401, "Invalid authentication: X-FS-Signature verification failed"), (changed.Status, changed.Text));
        var late = await CheckAsync(now - 86_400 - 30, Target);
        Assert.Equal((425, "Invalid authentication: X-FS-Timestamp is too far from current time"), (late.Status, late.Text));
        var half = await server.SendAsync(via, "GET", Target, headers: new() { ["X-FS-Pubkey"] = id });
        Assert.Equal((400, "Invalid authentication: one or more X-FS-* auth headers is missing"), (half.Status, half.Text));

        Task<Answer> CheckAsync(long time, string signed)
        {
            var timestamp = time.ToString(CultureInfo.InvariantCulture);
            return server.SendAsync(via, "GET", Target, headers: new()
            {
                ["X-FS-Pubkey"] = id,
                ["X-FS-Timestamp"] = timestamp,
                ["X-FS-Signature"] = Convert.ToBase64String(Crypto.Sign(key, Encoding.ASCII.GetBytes(timestamp + "GET" + signed))),
            });
        }
    }

    [Theory]
    [Everywhere("GET", "/file", 405)]
    [Everywhere("DELETE", "/file/" + Unknown, 405)]
    [Everywhere("POST", "/file/" + Unknown, 405)]
    [Everywhere("POST", "/file/" + Unknown + "/info", 405)]
    [Everywhere("GET", "/file/" + Unknown + "/extend", 405)]
    [Everywhere("GET", "/", 404)]
    [Everywhere("GET", "/nowhere", 404)]
    [Everywhere("GET", "/file/" + Unknown + "/other", 404)]
    public async Task WrongMethodOrPath_IsRefused(Store store, Transport via, string method, string path, int status) =>
        (await (await ServerAsync(store)).SendAsync(via, method, path)).ShouldHaveStatus(status);

    [Theory, OnEveryStore]
    [Section("file-server.md", "2.3")]
    public async Task MalformedV4Plaintext_IsToldInside(Store store)
    {
        var server = await ServerAsync(store);
        foreach (var plaintext in (string[])["", "{}", "le", "l2:{}e", """l49:{"method":"GET","endpoint":"file/1","headers":{}}e""", "l2:{}1:a1:be", "l9:{}e"])
        {
            var reply = await server.PostV4Async(Encoding.ASCII.GetBytes(plaintext));
            Assert.Equal((400, "text/plain; charset=utf-8", "Invalid v4 onion request"), (reply.Status, reply.ContentType, reply.Text));
        }
    }

    [Theory]
    [OnEveryStore("/oxen/v3/lsrpc")]
    [OnEveryStore("/loki/v3/lsrpc")]
    [Section("file-server.md", "2.4")]
    public async Task V3Request_IsAnsweredInBase64(Store store, string target)
    {
        var server = await ServerAsync(store);
        var id = await UploadAsync(server, "hello"u8.ToArray(), Transport.Direct);
        Assert.Equal("hello", await server.PostV3Async(target, $$"""{"method":"GET","endpoint":"file/{{id}}"}"""));
        Assert.Equal("hello", await server.PostV3Async(target, $$$"""{"method":"GET","endpoint":"/file/{{{id}}}","body":"null","headers":{}}"""));
        Assert.Equal("""{"status_code":404}""", await server.PostV3Async(target, """{"method":"GET","endpoint":"file/1"}"""));
        foreach (var bad in (string[])["[1]", """{"endpoint":"/file/1"}""", """{"method":"GET","endpoint":"/file/1","body":"x"}""", "x"])
            Assert.Equal("""{"status_code":400}""", await server.PostV3Async(target, bad));
        var stored = JsonElement.Parse(await server.PostV3Async(target, """{"method":"POST","endpoint":"files","body":"{\"file\":\"aGVsbG8=\"}"}"""));
        Assert.Equal(id, stored.GetProperty("result").GetString());
    }

    [Theory, OnEveryStore]
    [Section("file-server.md", "2.2")]
    public async Task WhatCannotBeOpened_IsAPlain400(Store store)
    {
        var server = await ServerAsync(store);
        var good = Crypto.Seal("aes-gcm", server.X25519, "l2:{}e"u8);
        var key = Convert.ToHexStringLower(good.EphemeralKey);
        foreach (var body in (byte[][])
        [
            [], [1, 2, 3], [255, 255, 255, 255, .. good.Ciphertext],
            Onion.Pack(good.Ciphertext, "{nope"), Onion.Pack(good.Ciphertext, """{"host":"x"}"""), Onion.Pack(good.Ciphertext, """{"ephemeral_key":"abcd"}"""),
            Onion.Pack(good.Ciphertext, $$"""{"ephemeral_key":"{{key}}","enc_type":"rot13"}"""),
            Onion.Pack(good.Ciphertext, $$"""{"ephemeral_key":"{{key}}","enc_type":"aes-cbc"}"""),
            Onion.Pack(good.Ciphertext, $$"""{"ephemeral_key":"{{key}}","enc_type":"xchacha20"}"""),
            Onion.Pack([.. good.Ciphertext[..^1], (byte)(good.Ciphertext[^1] ^ 1)], $$"""{"ephemeral_key":"{{key}}"}"""),
        ])
            (await server.Network.PostAsync(new(server.Url, "/oxen/v4/lsrpc"), body, "a bad envelope")).ShouldHaveStatus(400);
    }

    [Theory]
    [OnEveryStore("aes-gcm")]
    [OnEveryStore("gcm")]
    [OnEveryStore("xchacha20")]
    [OnEveryStore("xchacha20-poly1305")]
    [OnEveryStore("")]
    [Section("file-server.md", "2.2")]
    public async Task EveryCipherName_IsUnderstoodAndAnsweredInKind(Store store, string name)
    {
        var server = await ServerAsync(store);
        var reply = await server.PostV4Async("""l50:{"method":"GET","endpoint":"/file/1","headers":{}}e"""u8.ToArray(), name.Length > 0 ? name : null);
        ShouldBeStatus(reply, 404);
    }

    private static void ShouldBeStatus(Answer answer, int status)
    {
        answer.Should(answer.Status == status && answer.ContentType is "application/json", string.Create(CultureInfo.InvariantCulture, $"{status} application/json"));
        Assert.Equal(status, JsonElement.Parse(answer.Body).GetProperty("status_code").GetInt32());
    }

    private static async Task<string> UploadAsync(FileServer server, byte[] bytes, Transport via) =>
        (await server.SendAsync(via, "POST", "/file", bytes)).ShouldBeJson().GetProperty("id").GetString()!;

    private async Task<FileServer> ServerAsync(Store store) => FileServer.Of(await NetworkAsync(store));
}
