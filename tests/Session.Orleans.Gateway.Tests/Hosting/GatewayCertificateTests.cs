using System.Security.Cryptography.X509Certificates;
using Microsoft.Extensions.Configuration;
using Session.Orleans.Gateway.Hosting;

namespace Session.Orleans.Gateway.Tests.Hosting;

/// <summary>The certificate of all HTTPS ports, and the key that a start begins before it needs it.</summary>
public sealed class GatewayCertificateTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("certificate-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void FirstStart_UsesTheKeyThatWasBegun_AndLaterOnesWhatIsThere()
    {
        var begun = GatewayCertificate.BeginKey(Section((nameof(GatewayOptions.DataDirectory), _folder)));
        using var first = Load(begun);
        Assert.Null(begun.Take()); // taken
        Assert.Equal((2048, "CN=localhost, O=Oxen, C=AU"), (first.GetRSAPublicKey()!.KeySize, first.Subject));

        var again = GatewayCertificate.BeginKey(Section((nameof(GatewayOptions.DataDirectory), _folder)));
        Assert.Null(again.Take());
        using var second = Load(again);
        Assert.Equal(first.Thumbprint, second.Thumbprint);
        Assert.True(second.HasPrivateKey);
    }

    [Fact]
    public void NoKeyIsBegun_WhereNoneIsMade()
    {
        Assert.Null(GatewayCertificate.BeginKey(Section((nameof(GatewayOptions.CertificateFile), "cert.pem"), (nameof(GatewayOptions.KeyFile), "key.pem"))).Take());
        Assert.Null(GatewayCertificate.BeginKey(Section((nameof(GatewayOptions.TakesClients), "false"))).Take());
        using var key = GatewayCertificate.BeginKey(Section()).Take();
        Assert.NotNull(key);
    }

    [Fact]
    public void WithoutAFolder_EachStartHasItsOwn()
    {
        using var first = GatewayCertificate.LoadOrCreate(new(), TimeProvider.System);
        using var second = GatewayCertificate.LoadOrCreate(new(), TimeProvider.System);
        Assert.NotEqual(first.Thumbprint, second.Thumbprint);
    }

    [Fact]
    public void WhatCannotBeUsed_IsNamed()
    {
        var file = Path.Combine(_folder, "broken.pem");
        File.WriteAllText(file, "nonsense");
        var broken = Assert.Throws<InvalidOperationException>(() => GatewayCertificate.LoadOrCreate(new() { CertificateFile = file, KeyFile = file }, TimeProvider.System));
        Assert.Contains(file, broken.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => GatewayCertificate.LoadOrCreate(new() { CertificateFile = file }, TimeProvider.System));
    }

    private X509Certificate2 Load(CertificateKey? begun) => GatewayCertificate.LoadOrCreate(new() { DataDirectory = _folder }, TimeProvider.System, begun);

    private static IConfigurationSection Section(params (string Name, string Value)[] options) => new ConfigurationBuilder()
        .AddInMemoryCollection(options.Select(option => KeyValuePair.Create($"{GatewayOptions.Section}:{option.Name}", (string?)option.Value))).Build().GetSection(GatewayOptions.Section);
}
