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
    public static HttpClient Create(TimeSpan? timeout = null) => new(new SocketsHttpHandler
    {
#pragma warning disable CA5359 // service nodes have self-signed certificates by design
        SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
        PooledConnectionLifetime = TimeSpan.FromMinutes(10),
        UseCookies = false,
        AllowAutoRedirect = false,
    })
    {
        Timeout = timeout ?? TimeSpan.FromSeconds(10),
    };
}
