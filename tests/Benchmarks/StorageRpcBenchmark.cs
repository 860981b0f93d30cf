using System.Buffers;
using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Benchmarks;

/// <summary>Parsing, checking and answering the two requests that a network spends its time on.</summary>
[MemoryDiagnoser]
[Config(typeof(ShortRunInProcess))]
public class StorageRpcBenchmark
{
    private const long Now = 1_700_000_000_000;
    private static readonly StorageParseOptions Options = new(TestNetwork: true);
    private static readonly ServerClock Clock = new(Now, new(19, 4));

    private readonly ArrayBufferWriter<byte> _output = new(64 * 1024);
    private readonly SwarmMember[] _members = [.. Enumerable.Range(0, 7).Select(i => new SwarmMember(Ed25519KeyPair.Generate(), IsOwn: i == 0))];
    private byte[] _storeJson = [], _retrieveJson = [];
    private AccountRequest _retrieve = null!;
    private StoreEffect _effect;
    private RetrievedMessage[] _messages = [];

    [GlobalSetup]
    public void Setup()
    {
        var account = Ed25519KeyPair.Generate();
        var store = new StoreRequest
        {
            Account = account.SessionId, Timestamp = Now, Expiry = Now + 86_400_000, Data = RandomNumberGenerator.GetBytes(1024),
        };
        _storeJson = StorageRequestWriter.ToArray(store);
        _retrieve = new RetrieveRequest { Account = account.SessionId, Timestamp = Now }.SignWith(account);
        _retrieveJson = StorageRequestWriter.ToArray(_retrieve);
        _effect = new(store.ComputeHash(), store.Expiry, Already: false);
        _messages = [.. Enumerable.Range(0, 10).Select(_ =>
            new RetrievedMessage(store.ComputeHash(), Now, store.Expiry, RandomNumberGenerator.GetBytes(1024)))];
        if (!ParseStore() || !ParseRetrieve() || CheckRetrieve() is not null)
            throw new InvalidOperationException("The requests are not valid.");
    }

    [Benchmark]
    public bool ParseStore() => StorageRequest.TryParse(_storeJson, Options, out _, out _);

    [Benchmark]
    public bool ParseRetrieve() => StorageRequest.TryParse(_retrieveJson, Options, out _, out _);

    /// <summary>Converts the account's key and verifies its signature.</summary>
    [Benchmark]
    public StorageError? CheckRetrieve() => _retrieve.Check(Clock);

    /// <summary>Seven signatures, and JSON.</summary>
    [Benchmark]
    public int WriteStoreReply()
    {
        _output.ResetWrittenCount();
        SwarmReplies.WriteStore(_output, _members, _effect, Clock);
        return _output.WrittenCount;
    }

    [Benchmark]
    public int WriteRetrieveReply()
    {
        _output.ResetWrittenCount();
        StorageReplies.WriteRetrieve(_output, _messages, more: false, Clock);
        return _output.WrittenCount;
    }
}
