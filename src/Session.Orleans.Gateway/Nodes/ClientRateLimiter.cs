using System.Net;
using Microsoft.Extensions.Options;

namespace Session.Orleans.Gateway.Nodes;

/// <summary>A token bucket per client address. Safe for concurrent use; the lock is held for a few instructions.</summary>
internal sealed class ClientRateLimiter
{
    private static readonly string[] Loopback = ["127.0.0.0/8", "::1/128"];

    private readonly Lock _lock = new();
    private readonly Dictionary<IPAddress, Bucket> _buckets = [];
    private readonly IPNetwork[] _exempt;
    private readonly RateLimitOptions _options;
    private readonly TimeProvider _time;
    private long _lastCleaning;

    /// <exception cref="InvalidOperationException">An exempt network is none.</exception>
    public ClientRateLimiter(IOptions<RateLimitOptions> options, TimeProvider time)
    {
        _options = options.Value;
        _time = time;
        _lastCleaning = time.GetTimestamp();
        _exempt = [.. (_options.Exempt ?? Loopback).Select(text => IPNetwork.TryParse(text, out var network)
            ? network
            : throw new InvalidOperationException($"RateLimit:Exempt has '{text}', which is no network such as 10.0.0.0/8."))];
    }

    /// <summary>Takes one request of the address's allowance; false if there is none left, or if too many addresses are watched.</summary>
    public bool TryTake(IPAddress? address)
    {
        if (address is null)
            return true; // no network connection, for example an in-process test server
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        foreach (var network in _exempt)
        {
            if (network.Contains(address))
                return true;
        }

        var now = _time.GetTimestamp();
        lock (_lock)
        {
            if (!_buckets.TryGetValue(address, out var bucket))
            {
                if (_buckets.Count >= _options.MaxAddresses && !TryMakeRoom(now))
                    return false;
                bucket = new(_options.Burst, now);
            }

            var level = LevelAt(bucket, now);
            var taken = level >= 1;
            _buckets[address] = new(taken ? level - 1 : level, now);
            return taken;
        }
    }

    // Whoever has a full bucket has been quiet long enough to be forgotten without a difference. Looked for at most once a second.
    private bool TryMakeRoom(long now)
    {
        if (_time.GetElapsedTime(_lastCleaning, now) < TimeSpan.FromSeconds(1))
            return false;
        _lastCleaning = now;
        foreach (var (address, bucket) in _buckets)
        {
            if (LevelAt(bucket, now) >= _options.Burst)
                _buckets.Remove(address);
        }

        return _buckets.Count < _options.MaxAddresses;
    }

    private double LevelAt(Bucket bucket, long now) =>
        Math.Min(_options.Burst, bucket.Level + (_time.GetElapsedTime(bucket.At, now).TotalSeconds * _options.PerSecond));

    private readonly record struct Bucket(double Level, long At);
}
