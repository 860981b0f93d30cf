using System.Collections.Concurrent;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Session.Orleans.Client;

/// <summary>How a seed node must prove itself.</summary>
public enum SeedTrust
{
    /// <summary>By the SHA-256 of its certificate, given beforehand. A seed without one is refused.</summary>
    Pinned,

    /// <summary>By a pin if it has one, else by the certificate it showed first: keep <see cref="SeedCertificates.Known"/> for the next start.</summary>
    FirstUse,

    /// <summary>By a pin if it has one, else by a certificate that the machine trusts.</summary>
    System,
}

/// <summary>Certificates of seed nodes: the only place where a client has nothing but a certificate to go by. Safe for concurrent use.</summary>
/// <param name="trust">What counts for seeds without a pin.</param>
/// <param name="known">Host name to SHA-256 of the certificate, in hex: pins, or what earlier runs saw.</param>
public sealed class SeedCertificates(SeedTrust trust, IEnumerable<KeyValuePair<string, string>>? known = null)
{
    private readonly ConcurrentDictionary<string, string> _known = new(known ?? [], StringComparer.OrdinalIgnoreCase);

    /// <summary>Host name to SHA-256 of the certificate, in lower-case hex.</summary>
    public IReadOnlyDictionary<string, string> Known => _known;

    /// <summary>Decides about a certificate that a host shows, and remembers it if that is the rule.</summary>
    public bool IsTrusted(string host, X509Certificate? certificate, SslPolicyErrors errors)
    {
        if (certificate is null)
            return false;
        var fingerprint = Convert.ToHexStringLower(SHA256.HashData(certificate.GetRawCertData()));
        if (_known.TryGetValue(host, out var pin))
            return pin.Equals(fingerprint, StringComparison.OrdinalIgnoreCase);
        return trust switch
        {
            SeedTrust.FirstUse => _known.GetOrAdd(host, fingerprint) == fingerprint,
            SeedTrust.System => errors is SslPolicyErrors.None,
            _ => false,
        };
    }
}
