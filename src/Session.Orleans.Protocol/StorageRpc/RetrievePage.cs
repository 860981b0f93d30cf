namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>
/// Decides how many messages a retrieve returns (storage-rpc.md, 9). Offer the messages in order until one is refused; a refusal means that
/// the reply says <c>more</c>.
/// </summary>
/// <example>
/// <code>
/// var page = new RetrievePage(request);
/// foreach (var message in messages)
/// {
///     if (!page.TryAdd(message.Data.Length)) { more = true; break; }
///     reply.Add(message);
/// }
/// </code>
/// </example>
public struct RetrievePage
{
    private readonly long _maxSize;
    private readonly int _maxCount;
    private long _size;

    /// <summary>The page that a request asks for.</summary>
    public RetrievePage(RetrieveRequest request)
        : this(request.MaxCount, request.MaxSize)
    {
    }

    /// <summary>A page of up to <paramref name="maxCount"/> messages and <paramref name="maxSize"/> by the formula of <see cref="SizeOf"/>.</summary>
    /// <param name="maxCount">Null or 0 if not given; a negative number, for which nothing is specified, counts as not given.</param>
    /// <param name="maxSize">Null or 0 if not given; -k means a k-th of <see cref="StorageLimits.MaxRetrieveSize"/>.</param>
    public RetrievePage(int? maxCount, int? maxSize)
    {
        _maxCount = maxCount is > 0 and var count ? count : int.MaxValue;
        _maxSize = EffectiveMaxSize(maxCount, maxSize);
    }

    /// <summary>Messages accepted so far.</summary>
    public int Count { get; private set; }

    /// <summary>The limit on the sum of <see cref="SizeOf"/> that a request means.</summary>
    /// <param name="maxCount"><c>max_count</c> of the request.</param>
    /// <param name="maxSize"><c>max_size</c> of the request.</param>
    /// <param name="largest">The largest reply there may be.</param>
    public static long EffectiveMaxSize(int? maxCount, int? maxSize, int largest = StorageLimits.MaxRetrieveSize) => maxSize switch
    {
        null or 0 when maxCount is > 0 => largest,
        null or 0 => largest / -StorageLimits.DefaultRetrieveSize,
        < 0 => largest / -(long)maxSize,
        > 0 => Math.Min(maxSize.Value, largest),
    };

    /// <summary>What a message of so many data bytes counts: 100 + 43 + floor(bytes * 4 / 3).</summary>
    public static long SizeOf(int dataLength) => StorageLimits.RetrieveOverhead + (dataLength * 4L / 3);

    /// <summary>True if the next message, of so many data bytes, belongs to the page. The first one always does.</summary>
    public bool TryAdd(int dataLength)
    {
        var size = _size + SizeOf(dataLength);
        if (Count > 0 && (Count >= _maxCount || size > _maxSize))
            return false;
        _size = size;
        Count++;
        return true;
    }
}
