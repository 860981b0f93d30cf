using System.Net.Security;

namespace Session.Orleans.Client;

/// <summary>HTTP as Session clients speak it with service nodes.</summary>
public static class SessionHttp
{
    /// <summary>
    /// A client for service nodes and private seeds. Certificates are not validated: service nodes have self-signed ones, and what protects
    /// a request are its onion layers.
    /// </summary>
    /// <param name="timeout">Limit for a whole request; clients use 10 s.</param>
    public static HttpClient Create(TimeSpan? timeout = null) => Create(CreateHandler(), timeout);

    /// <summary>The same over another handler, for tests and for proxies. The handler is disposed with the client.</summary>
    public static HttpClient Create(HttpMessageHandler handler, TimeSpan? timeout = null)
    {
        var http = new HttpClient(handler) { Timeout = timeout ?? TimeSpan.FromSeconds(10) };
        // What all Session clients call themselves.
        http.DefaultRequestHeaders.TryAddWithoutValidation("User-Agent", "WhatsApp");
        return http;
    }

    /// <summary>A client for seed nodes, whose certificates <paramref name="certificates"/> decides about.</summary>
    /// <param name="certificates">Pinned and known certificates.</param>
    /// <param name="timeout">Limit for a whole request; clients use 5 s.</param>
    public static HttpClient CreateForSeeds(SeedCertificates certificates, TimeSpan? timeout = null) => Create(
        new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (connection, certificate, _, errors) =>
                    certificates.IsTrusted(((SslStream)connection).TargetHostName, certificate, errors),
            },
            UseCookies = false,
            AllowAutoRedirect = false,
        },
        timeout ?? TimeSpan.FromSeconds(5));

    /// <summary>The connections under <see cref="Create(TimeSpan?)"/>, for those who put something around them.</summary>
    public static HttpMessageHandler CreateHandler() => new SocketsHttpHandler
    {
#pragma warning disable CA5359 // service nodes have self-signed certificates by design
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        UseCookies = false,
        AllowAutoRedirect = false,
    };
}
