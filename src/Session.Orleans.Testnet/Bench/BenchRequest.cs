using System.Net.Http.Headers;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Testnet.Bench;

/// <summary>A request that is ready to be sent, and later its answer. The driver only moves bytes.</summary>
internal sealed class BenchRequest
{
    private static readonly MediaTypeHeaderValue JsonType = new("application/json");

    public BenchRequest(Uri url, byte[] body)
    {
        Url = url;
        Content = new(body);
        Content.Headers.ContentType = JsonType;
    }

    public Uri Url { get; }

    public ByteArrayContent Content { get; }

    /// <summary>The onion request this is; null for a direct one.</summary>
    public OnionRequest? Onion { get; init; }

    /// <summary>The swarm it goes to.</summary>
    public required BenchSwarm Swarm { get; init; }

    /// <summary>What a store must answer.</summary>
    public MessageHash ExpectedHash { get; init; }

    /// <summary>What a poll must find.</summary>
    public IReadOnlyList<MessageHash> ExpectedMessages { get; init; } = [];

    /// <summary>Status of the HTTP answer.</summary>
    public int Status { get; set; }

    /// <summary>Body of the HTTP answer.</summary>
    public byte[] Reply { get; set; } = [];
}
