using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Session.Orleans.Load.Network;

/// <summary>
/// Decides about the seed's certificate: its public key is pinned, or what it shows first counts, or the machine must trust it. An expired one
/// is refused in every case. Safe for concurrent use.
/// </summary>
/// <param name="pin">SHA-256 of the certificate's public key (DER of SubjectPublicKeyInfo), 64 hex digits of any case; null for none.</param>
/// <param name="trustOnFirstUse">Without a pin: take the first certificate, and then only that one.</param>
/// <param name="time">The clock that certificates expire by.</param>
internal sealed class SeedCheck(string? pin, bool trustOnFirstUse, TimeProvider time)
{
    private readonly Lock _lock = new();
    private string? _pin = pin;

    /// <summary>Why the certificate shown last was refused; null if it was not.</summary>
    public string? Problem { get; private set; }

    /// <summary>True if that was because it has expired or is not valid yet.</summary>
    public bool IsOutOfTime { get; private set; }

    /// <summary>The pin of a certificate.</summary>
    public static string PinOf(X509Certificate2 certificate) =>
        Convert.ToHexStringLower(SHA256.HashData(certificate.PublicKey.ExportSubjectPublicKeyInfo()));

    /// <summary>True for 64 hex digits.</summary>
    public static bool IsPin(string text) => text.Length == 2 * SHA256.HashSizeInBytes && text.All(char.IsAsciiHexDigit);

    /// <summary>The answer to a TLS handshake.</summary>
    public bool Accept(X509Certificate? certificate, SslPolicyErrors errors)
    {
        lock (_lock)
        {
            Problem = Judge(certificate as X509Certificate2, errors);
            return Problem is null;
        }
    }

    private string? Judge(X509Certificate2? certificate, SslPolicyErrors errors)
    {
        if (certificate is null)
            return "The seed shows no certificate.";
        var now = time.GetUtcNow();
        IsOutOfTime = certificate.NotAfter.ToUniversalTime() < now || certificate.NotBefore.ToUniversalTime() > now;
        if (certificate.NotAfter.ToUniversalTime() < now)
            return FormattableString.Invariant($"The seed's certificate expired on {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd HH:mm} UTC.");
        if (certificate.NotBefore.ToUniversalTime() > now)
            return FormattableString.Invariant($"The seed's certificate is valid from {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd HH:mm} UTC on.");
        var shown = PinOf(certificate);
        if (_pin is null && trustOnFirstUse)
            _pin = shown;
        if (_pin is { } wanted)
        {
            return wanted.Equals(shown, StringComparison.OrdinalIgnoreCase) ? null
                : $"The seed's certificate has another key than the pinned one: its pin is {shown}.";
        }

        return errors is SslPolicyErrors.None ? null
            : $"This machine does not trust the seed's certificate. If it is the right one, give --pin {shown}, or --trust-on-first-use.";
    }
}
