using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Configuration;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>The certificate of all HTTPS ports. Clients do not validate it (storage-rpc.md, 14).</summary>
public static class GatewayCertificate
{
    /// <summary>Name of the certificate's file in the data directory, where it was not configured.</summary>
    public const string FileName = "gateway-cert.pem";

    private const string KeyName = "gateway-key.pem";

    /// <summary>
    /// Begins to make a key, if a certificate has to be made: finding its primes takes a processor for a tenth of a second or several, which the rest of a
    /// start does not wait for.
    /// </summary>
    /// <param name="gateway">The section of <see cref="GatewayOptions"/>.</param>
    public static CertificateKey BeginKey(IConfiguration gateway)
    {
        ArgumentNullException.ThrowIfNull(gateway);
        var isThere = gateway[nameof(GatewayOptions.CertificateFile)] is not null
            || (gateway[nameof(GatewayOptions.DataDirectory)] is { Length: > 0 } directory && File.Exists(Path.Combine(directory, FileName)));
        return isThere || string.Equals(gateway[nameof(GatewayOptions.TakesClients)], bool.FalseString, StringComparison.OrdinalIgnoreCase) ? new(null) : new(Task.Run(CreateKey));
    }

    /// <summary>Loads the configured certificate, or the one made at an earlier start, or makes one.</summary>
    /// <param name="options">Where files are.</param>
    /// <param name="time">From when on a new one is valid.</param>
    /// <param name="begun">A key that has been begun; null: makes one if it needs one.</param>
    /// <exception cref="InvalidOperationException">A configured file is missing or unusable.</exception>
    internal static X509Certificate2 LoadOrCreate(GatewayOptions options, TimeProvider time, CertificateKey? begun = null)
    {
        if (options.CertificateFile is not null || options.KeyFile is not null)
        {
            if (options.CertificateFile is null || options.KeyFile is null)
                throw new InvalidOperationException("Gateway:CertificateFile and Gateway:KeyFile belong together; only one is given.");
            return Load(options.CertificateFile, options.KeyFile);
        }

        if (options.DataDirectory is not { } directory)
            return Create(time, begun);

        var certificateFile = Path.Combine(directory, FileName);
        var keyFile = Path.Combine(directory, KeyName);
        if (File.Exists(certificateFile) && File.Exists(keyFile))
            return Load(certificateFile, keyFile);

        Directory.CreateDirectory(directory);
        using var created = Create(time, begun);
        using var key = created.GetRSAPrivateKey()!;
        SecretFile.Write(keyFile, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(certificateFile, created.ExportCertificatePem());
        return Load(certificateFile, keyFile);
    }

    private static X509Certificate2 Load(string certificateFile, string keyFile)
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(certificateFile, keyFile);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new InvalidOperationException(
                $"The certificate '{certificateFile}' with the key '{keyFile}' can't be used: {exception.Message}", exception);
        }
    }

    // Same subject and key type as the storage server's own certificate.
    private static X509Certificate2 Create(TimeProvider time, CertificateKey? begun)
    {
        using var key = begun?.Take() ?? CreateKey();
        var request = new CertificateRequest("CN=localhost, O=Oxen, C=AU", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = time.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddYears(10));
    }

    private static RSA CreateKey()
    {
        var key = RSA.Create(2048);
        _ = key.ExportSubjectPublicKeyInfo(); // an object that nobody has asked for anything has no key yet
        return key;
    }
}

/// <summary>The key of a certificate that may have to be made, see <see cref="GatewayCertificate.BeginKey"/>.</summary>
public sealed class CertificateKey
{
    private Task<RSA>? _key;

    internal CertificateKey(Task<RSA>? key) => _key = key;

    /// <summary>The key, once it is made, for its only user, who disposes of it; null if none has been begun.</summary>
    internal RSA? Take() => Interlocked.Exchange(ref _key, null)?.GetAwaiter().GetResult();
}
