using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Testnet.Bench;

/// <summary>One kind of request: makes them beforehand and checks their answers afterwards, neither of which is measured.</summary>
internal abstract class Workload(NetworkMap map, int seed)
{
    /// <summary>Mailboxes that the requests are spread over, the same number in every swarm.</summary>
    public const int Accounts = 512;

    /// <summary>Names of all workloads.</summary>
    public static readonly string[] Kinds = ["poll", "store", "direct-poll"];

    /// <summary>Name on the command line and in reports.</summary>
    public abstract string Name { get; }

    protected NetworkMap Map { get; } = map;

    /// <summary>Fixed seed: the same accounts and paths in every run on the same nodes.</summary>
    protected Random Random { get; } = new(seed);

    /// <summary>Makes a request for a worker.</summary>
    /// <param name="worker">Number of the worker, which has its own guard or node.</param>
    /// <param name="nowMs">Time to sign, unix ms.</param>
    public abstract BenchRequest Build(int worker, long nowMs);

    /// <summary>What the request's cryptography alone costs the server.</summary>
    /// <param name="replyLength">Length of a real answer's body.</param>
    public abstract ServerFloor CreateFloor(int replyLength);

    /// <summary>The workload of a name.</summary>
    /// <param name="kind">One of <see cref="Kinds"/>.</param>
    /// <param name="map">The network.</param>
    /// <param name="cipher">Cipher of onion layers.</param>
    public static Workload Create(string kind, NetworkMap map, OnionCipher cipher) => kind switch
    {
        "poll" => new PollWorkload(map, cipher),
        "store" => new StoreWorkload(map, cipher),
        _ => new DirectPollWorkload(map),
    };

    /// <summary>Null, or what is wrong with the answer.</summary>
    public string? Check(BenchRequest request)
    {
        if (request.Status != 200)
            return $"HTTP status {request.Status}: {Excerpt(request.Reply)}";
        ReadOnlyMemory<byte> body = request.Reply;
        if (request.Onion is { } onion)
        {
            if (!OnionReply.TryOpen(onion.ReplyKey, request.Reply, onion.Base64, out var opened))
                return $"the reply key does not open the reply: {Excerpt(request.Reply)}";
            if (opened.Status != 200)
                return $"status {opened.Status}: {Excerpt(opened.Body.Span)}";
            body = opened.Body;
        }

        try
        {
            using var json = JsonDocument.Parse(body);
            return CheckReply(request, json.RootElement);
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return $"{exception.Message} in {Excerpt(body.Span)}";
        }
    }

    protected abstract string? CheckReply(BenchRequest request, JsonElement reply);

    protected static string Excerpt(ReadOnlySpan<byte> text) => Encoding.UTF8.GetString(text[..Math.Min(text.Length, 200)]).Trim();

    /// <summary>Accounts of every swarm, made until each has its share.</summary>
    protected ImmutableArray<ImmutableArray<T>> SpreadOverSwarms<T>(Func<T> create, Func<T, AccountId> idOf)
    {
        var share = Math.Max(1, Accounts / Map.Swarms.Length);
        var found = Map.Swarms.Select(_ => ImmutableArray.CreateBuilder<T>(share)).ToArray();
        while (found.Any(accounts => accounts.Count < share))
        {
            var candidate = create();
            for (var i = 0; i < found.Length; i++)
            {
                if (found[i].Count < share && Map.IsIn(Map.Swarms[i], idOf(candidate)))
                    found[i].Add(candidate);
            }
        }

        return [.. found.Select(accounts => accounts.MoveToImmutable())];
    }
}
