using Session.Orleans.Client;

namespace Session.Orleans.EndToEnd.Tests;

/// <summary>Carries requests to the network, and loses replies on demand: the request has arrived all the same.</summary>
internal sealed class LossyHandler() : DelegatingHandler(SessionHttp.CreateHandler())
{
    private int _toLose;

    public int ToLose => _toLose;

    public void LoseReplies(int count) => _toLose = count;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        if (!IsOnionOrCommunity(request.RequestUri!.AbsolutePath) || Interlocked.Decrement(ref _toLose) < 0)
        {
            _ = Interlocked.CompareExchange(ref _toLose, 0, -1);
            return response;
        }

        await response.Content.LoadIntoBufferAsync(cancellationToken);
        response.Dispose();
        throw new HttpRequestException("The reply is lost.");
    }

    private static bool IsOnionOrCommunity(string path) =>
        path.EndsWith("/onion_req/v2", StringComparison.Ordinal) || path.StartsWith("/room/", StringComparison.Ordinal) || path.StartsWith("/inbox", StringComparison.Ordinal);
}
