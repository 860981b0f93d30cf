using System.Buffers;
using System.Globalization;
using System.Net;
using System.Runtime.CompilerServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Session.Orleans.Storage.Blobs;

namespace Session.Orleans.Storage.S3;

/// <summary>Where an S3-compatible store is.</summary>
public sealed record S3BlobStoreOptions
{
    /// <summary>Address of the service, for example <c>https://s3.example:9000</c>; null takes Amazon's of the region.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Region, which signatures name.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>An existing bucket.</summary>
    public required string Bucket { get; init; }

    /// <summary>What the names of all objects begin with.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Access key; null takes the credentials of the environment, as Amazon's tools do.</summary>
    public string? AccessKey { get; init; }

    /// <summary>Secret that belongs to <see cref="AccessKey"/>.</summary>
    public string? SecretKey { get; init; }
}

/// <summary>
/// Blobs as objects of an S3-compatible store. Small ones are put in one request, larger ones in parts of 5 MiB, the least that S3 takes; a
/// part is held in memory, so that it can be sent again. Bodies are signed as a whole, which all lookalikes understand. The bucket should have a rule that ends unfinished multipart uploads after a day: a
/// process that dies in one can't.
/// </summary>
public sealed class S3BlobStore : IBlobStore, IDisposable
{
    /// <summary>Bytes of a part.</summary>
    public const int PartLength = 5 * 1024 * 1024;

    private const int ReadLength = 64 * 1024;

    private readonly AmazonS3Client _client;
    private readonly S3BlobStoreOptions _options;

    /// <summary>Makes a client; nothing is sent yet.</summary>
    public S3BlobStore(S3BlobStoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        var config = new AmazonS3Config { Timeout = TimeSpan.FromSeconds(30), MaxErrorRetry = 3 };
        if (options.Endpoint is { } endpoint)
        {
            config.ServiceURL = endpoint.ToString();
            config.AuthenticationRegion = options.Region;
            config.ForcePathStyle = true; // others than Amazon seldom have a name per bucket
        }
        else
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        }

        _client = options.AccessKey is { } key ? new(new BasicAWSCredentials(key, options.SecretKey), config) : new(config);
    }

    /// <summary>Fails if the bucket can't be reached, with a reason for people.</summary>
    /// <exception cref="InvalidOperationException">It can't.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            _ = await _client.ListObjectsV2Async(new() { BucketName = _options.Bucket, MaxKeys = 1 }, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is AmazonServiceException or AmazonClientException or HttpRequestException)
        {
            throw new InvalidOperationException(
                $"The bucket '{_options.Bucket}' at {_options.Endpoint?.ToString() ?? _options.Region} can't be used: {exception.Message}", exception);
        }
    }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(string key, Stream content, CancellationToken cancellationToken = default)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(PartLength);
        try
        {
            var length = await ReadPartAsync(content, buffer, cancellationToken).ConfigureAwait(false);
            if (length < PartLength)
            {
                using var bytes = new MemoryStream(buffer, 0, length, writable: false);
                _ = await _client.PutObjectAsync(
                    new() { BucketName = _options.Bucket, Key = Name(key), InputStream = bytes, AutoCloseStream = false, UseChunkEncoding = false }, cancellationToken).ConfigureAwait(false);
                return;
            }

            await WritePartsAsync(key, content, buffer, length, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(string key, long length, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var reply = await GetAsync(key, cancellationToken).ConfigureAwait(false);
        var buffer = ArrayPool<byte>.Shared.Rent(ReadLength);
        try
        {
            var left = length;
            int read;
            while ((read = await reply.ResponseStream.ReadAsync(buffer.AsMemory(0, ReadLength), cancellationToken).ConfigureAwait(false)) > 0)
            {
                left -= read;
                if (left < 0)
                    break;
                yield return buffer.AsMemory(0, read);
            }

            if (left != 0)
                throw new BlobMissingException(string.Create(CultureInfo.InvariantCulture, $"An object has other than its {length} bytes."));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(string key, CancellationToken cancellationToken = default) =>
        _ = await _client.DeleteObjectAsync(_options.Bucket, Name(key), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private static ValueTask<int> ReadPartAsync(Stream content, byte[] buffer, CancellationToken cancellationToken) =>
        content.ReadAtLeastAsync(buffer.AsMemory(0, PartLength), PartLength, throwOnEndOfStream: false, cancellationToken);

    private async Task WritePartsAsync(string key, Stream content, byte[] buffer, int length, CancellationToken cancellationToken)
    {
        var upload = (await _client.InitiateMultipartUploadAsync(_options.Bucket, Name(key), cancellationToken).ConfigureAwait(false)).UploadId;
        try
        {
            var parts = new List<PartETag>();
            for (; length > 0; length = await ReadPartAsync(content, buffer, cancellationToken).ConfigureAwait(false))
            {
                using var bytes = new MemoryStream(buffer, 0, length, writable: false);
                var part = await _client.UploadPartAsync(
                    new()
                    {
                        BucketName = _options.Bucket,
                        Key = Name(key),
                        UploadId = upload,
                        PartNumber = parts.Count + 1,
                        PartSize = length,
                        InputStream = bytes,
                        UseChunkEncoding = false,
                    }, cancellationToken).ConfigureAwait(false);
                parts.Add(new(parts.Count + 1, part.ETag));
            }

            _ = await _client.CompleteMultipartUploadAsync(
                new() { BucketName = _options.Bucket, Key = Name(key), UploadId = upload, PartETags = parts }, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            await AbortAsync(key, upload).ConfigureAwait(false);
            throw;
        }
    }

    // Not cancelled with the rest: a client that went away is the usual reason to be here.
    private async Task AbortAsync(string key, string upload)
    {
        try
        {
            _ = await _client.AbortMultipartUploadAsync(_options.Bucket, Name(key), upload, CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is AmazonServiceException or AmazonClientException or HttpRequestException)
        {
            // The failure that led here is the one to tell; the parts are left to the bucket's own rule.
        }
    }

    private async Task<GetObjectResponse> GetAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            return await _client.GetObjectAsync(_options.Bucket, Name(key), cancellationToken).ConfigureAwait(false);
        }
        catch (AmazonS3Exception exception) when (exception.StatusCode == HttpStatusCode.NotFound)
        {
            throw new BlobMissingException("An object is missing.", exception);
        }
    }

    private string Name(string key) => _options.Prefix + key;
}
