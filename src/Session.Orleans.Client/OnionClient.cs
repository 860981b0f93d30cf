using System.Net.Http.Headers;
using System.Text;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Client;

/// <summary>Sends requests through onion paths to service nodes. Safe for concurrent use.</summary>
/// <param name="http">From <see cref="SessionHttp.Create(TimeSpan?)"/>; not owned.</param>
/// <param name="cipher">Cipher of all layers.</param>
public sealed class OnionClient(HttpClient http, OnionCipher cipher = OnionCipher.XChaCha20)
{
    private static readonly MediaTypeHeaderValue JsonType = new("application/json");

    /// <summary>Sends a storage request through <paramref name="path"/> and opens the destination's reply.</summary>
    /// <returns>The destination's status and body, whatever the status.</returns>
    /// <exception cref="SessionClientException">No node answered, a hop refused, or the reply can't be opened.</exception>
    public async Task<OnionReplyContent> SendAsync(
        OnionPath path, SnodeAddress destination, ReadOnlyMemory<byte> request, CancellationToken cancellationToken = default)
    {
        var onion = OnionRequestBuilder.BuildToNode(path.To(destination), cipher, request.Span);
        using var content = new ByteArrayContent(onion.HttpBody);
        content.Headers.ContentType = JsonType;
        using var response = await PostAsync(new Uri(path.Guard.Url, "/onion_req/v2"), content, cancellationToken).ConfigureAwait(false);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
        if (!response.IsSuccessStatusCode)
            throw new SessionClientException($"The path answered {(int)response.StatusCode}: {Encoding.UTF8.GetString(body).Trim()}", (int)response.StatusCode);
        return OnionReply.TryOpen(onion.ReplyKey, body, onion.Base64, out var reply)
            ? reply
            : throw new SessionClientException("The reply was not encrypted by the destination.");
    }

    private async Task<HttpResponseMessage> PostAsync(Uri url, HttpContent content, CancellationToken cancellationToken)
    {
        try
        {
            return await http.PostAsync(url, content, cancellationToken).ConfigureAwait(false);
        }
        catch (HttpRequestException exception)
        {
            throw new SessionClientException($"{url.Authority} can't be reached: {exception.Message}", exception);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new SessionClientException($"{url.Authority} did not answer in time.", exception);
        }
    }
}
