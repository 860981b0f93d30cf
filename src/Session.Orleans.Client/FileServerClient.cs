using System.Collections.ObjectModel;
using System.Globalization;
using System.Text.Json;
using Session.Orleans.Protocol.Attachments;
using Session.Orleans.Protocol.Cryptography;
using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Client;

/// <summary>A file server as clients are configured with it (file-server.md, 1).</summary>
/// <param name="Url">Its root.</param>
/// <param name="Key">The X25519 key that requests are encrypted for.</param>
public sealed record FileServer(Uri Url, X25519PublicKey Key)
{
    /// <summary>From the Ed25519 key that download URLs carry.</summary>
    /// <exception cref="ArgumentException">The key has no X25519 form.</exception>
    public static FileServer FromEd25519(Uri url, Ed25519PublicKey key)
    {
        Span<byte> converted = stackalloc byte[X25519.KeyLength];
        return Ed25519.TryConvertPublicKey(key.AsSpan(), converted)
            ? new(url, new X25519PublicKey(converted)) : throw new ArgumentException("The key has no X25519 form.", nameof(key));
    }
}

/// <summary>A file that was uploaded.</summary>
/// <param name="Url">Where it is.</param>
/// <param name="ExpiresAt">When the server deletes it.</param>
public sealed record UploadedFile(FileUrl Url, DateTimeOffset ExpiresAt);

/// <summary>Uploads and downloads encrypted files through onion paths (file-server.md, 3 and 5). Safe for concurrent use.</summary>
/// <param name="network">Carries the requests.</param>
/// <param name="server">The server that uploads go to.</param>
public sealed class FileServerClient(SessionNetwork network, FileServer server)
{
    /// <summary>Largest upload, in bytes.</summary>
    public const int MaxUploadBytes = 6_000_000;

    private const int Attempts = 3;

    /// <summary>Uploads bytes that are encrypted already.</summary>
    /// <param name="content">1..6000000 bytes.</param>
    /// <param name="deterministic">Marks the URL as that of a deterministically encrypted file.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="SessionClientException">The server refused it or can't be reached.</exception>
    public async Task<UploadedFile> UploadAsync(ReadOnlyMemory<byte> content, bool deterministic = false, CancellationToken cancellationToken = default)
    {
        var response = await SendAsync(server, new("POST", "/file", Headers, content), cancellationToken).ConfigureAwait(false);
        try
        {
            using var document = JsonDocument.Parse(response.Body);
            if (document.RootElement.TryText("id", out var id) && document.RootElement.TryGetProperty("expires", out var expires)
                && expires.ValueKind is JsonValueKind.Number && expires.TryGetDouble(out var seconds) && seconds is > 0 and < 1e11
                && FileUrl.TryParse(new FileUrl(server.Url, id).ToString(), out _))
                return new(new(server.Url, id, deterministic), DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1000)));
        }
        catch (JsonException exception)
        {
            throw new SessionClientException("The file server's answer is not JSON.", exception);
        }

        throw new SessionClientException("The file server's answer names no file.");
    }

    /// <summary>Downloads a file as it was uploaded. A URL with a key of its own is asked at that server.</summary>
    /// <exception cref="SessionClientException">The file is gone (status 404) or the server can't be reached.</exception>
    public async Task<ReadOnlyMemory<byte>> DownloadAsync(FileUrl url, CancellationToken cancellationToken = default)
    {
        var from = url.ServerKey is { } key ? FileServer.FromEd25519(url.Base, key) : server;
        var response = await SendAsync(from, new("GET", $"/file/{url.Id}", Headers, null), cancellationToken).ConfigureAwait(false);
        return response.Body.Length > 0 ? response.Body : throw new SessionClientException("The file server sent an empty file.");
    }

    /// <summary>Lets a file live longer. Only files with ids of 44 characters can be extended.</summary>
    /// <exception cref="SessionClientException">The file is gone (status 404) or the server can't be reached.</exception>
    public Task ExtendAsync(FileUrl url, CancellationToken cancellationToken = default) =>
        SendAsync(server, new("POST", $"/file/{url.Id}/extend", Headers, null), cancellationToken);

    private static ReadOnlyDictionary<string, string> Headers => ReadOnlyDictionary<string, string>.Empty;

    private async Task<OnionV4Response> SendAsync(FileServer to, OnionV4Request request, CancellationToken cancellationToken)
    {
        for (var i = 1; ; i++)
        {
            var response = await network.SendToServerAsync(new(to.Url, to.Key), request, cancellationToken).ConfigureAwait(false);
            if (response.Code is >= 200 and < 300)
                return response;
            // 404 is final, and what is too large stays so.
            if (i == Attempts || response.Code is 404 or 413)
                throw new SessionClientException(string.Create(CultureInfo.InvariantCulture, $"The file server answered {response.Code} to {request.Method} {request.Endpoint}."), response.Code);
        }
    }
}
