using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>The certificate of all HTTPS ports. Clients do not validate it (storage-rpc.md, 14).</summary>
public static class GatewayCertificate
{
    /// <summary>Name of the certificate's file in the data directory, where it was not configured.</summary>
    public const string FileName = "gateway-cert.pem";

    private const string KeyName = "gateway-key.pem";

    /// <summary>Loads the configured certificate, or the one made at an earlier start, or makes one.</summary>
    /// <exception cref="InvalidOperationException">A configured file is missing or unusable.</exception>
    internal static X509Certificate2 LoadOrCreate(GatewayOptions options, TimeProvider time)
    {
        if (options.CertificateFile is not null || options.KeyFile is not null)
        {
            if (options.CertificateFile is null || options.KeyFile is null)
                throw new InvalidOperationException("Gateway:CertificateFile and Gateway:KeyFile belong together; only one is given.");
            return Load(options.CertificateFile, options.KeyFile);
        }

        if (options.DataDirectory is not { } directory)
            return Create(time);

        var certificateFile = Path.Combine(directory, FileName);
        var keyFile = Path.Combine(directory, KeyName);
        if (File.Exists(certificateFile) && File.Exists(keyFile))
            return Load(certificateFile, keyFile);

        Directory.CreateDirectory(directory);
        using var created = Create(time);
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
    private static X509Certificate2 Create(TimeProvider time)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost, O=Oxen, C=AU", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = time.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddYears(10));
    }
}
