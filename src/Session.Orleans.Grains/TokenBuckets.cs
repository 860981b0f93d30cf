namespace Session.Orleans.Grains;

/// <summary>A token bucket per key. Safe for concurrent use; the lock is held for a few instructions.</summary>
/// <param name="burst">Tokens that a full bucket has.</param>
/// <param name="perSecond">Tokens that come back per second.</param>
/// <param name="maxKeys">Keys watched at once; a further one gets nothing until an earlier one has been quiet.</param>
/// <param name="time">The clock.</param>
public sealed class TokenBuckets<TKey>(int burst, int perSecond, int maxKeys, TimeProvider time)
    where TKey : notnull
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TKey, Bucket> _buckets = [];
    private long _lastCleaning = time.GetTimestamp();

    /// <summary>Takes a token of the key's; false if there is none left, or if too many keys are watched.</summary>
    public bool TryTake(TKey key)
    {
        var now = time.GetTimestamp();
        lock (_lock)
        {
            if (!_buckets.TryGetValue(key, out var bucket))
            {
                if (_buckets.Count >= maxKeys && !TryMakeRoom(now))
                    return false;
                bucket = new(burst, now);
            }

            var level = LevelAt(bucket, now);
            var taken = level >= 1;
            _buckets[key] = new(taken ? level - 1 : level, now);
            return taken;
        }
    }

    // Whoever has a full bucket has been quiet long enough to be forgotten without a difference. Looked for at most once a second.
    private bool TryMakeRoom(long now)
    {
        if (time.GetElapsedTime(_lastCleaning, now) < TimeSpan.FromSeconds(1))
            return false;
        _lastCleaning = now;
        foreach (var (key, bucket) in _buckets)
        {
            if (LevelAt(bucket, now) >= burst)
                _buckets.Remove(key);
        }

        return _buckets.Count < maxKeys;
    }

    private double LevelAt(Bucket bucket, long now) =>
        Math.Min(burst, bucket.Level + (time.GetElapsedTime(bucket.At, now).TotalSeconds * perSecond));

    private readonly record struct Bucket(double Level, long At);
}
