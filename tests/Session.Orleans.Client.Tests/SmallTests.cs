using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Session.Orleans.Protocol.Identity;

namespace Session.Orleans.Client.Tests;

public sealed class SmallTests
{
    [Fact]
    public void Identity_OfItsRecoveryPhrase_IsTheSame()
    {
        var identity = SessionIdentity.Create();
        Assert.Equal(identity.Id, SessionIdentity.FromRecoveryPhrase(identity.RecoveryPhrase.ToUpperInvariant()).Id);
        Assert.Equal(13, identity.RecoveryPhrase.Split(' ').Length);
        var seed = RandomNumberGenerator.GetBytes(32);
        Assert.Equal(SessionIdentity.FromSeed(seed).Id, SessionIdentity.FromRecoveryPhrase(SessionIdentity.FromSeed(seed).RecoveryPhrase).Id);
    }

    [Theory]
    [InlineData("abbey", "fewer")]
    [InlineData("abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey", "missing")]
    [InlineData("xxxxx abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey", "word list")]
    [InlineData("abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey abbey zoom", "does not fit")]
    public void RecoveryPhrase_ThatIsWrong_SaysHow(string phrase, string text) =>
        Assert.Contains(text, Assert.Throws<FormatException>(() => SessionIdentity.FromRecoveryPhrase(phrase)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(15)]
    [InlineData(17)]
    [InlineData(33)]
    public void Seed_OfAnotherLength_IsRefused(int length) => Assert.Throws<ArgumentException>(() => SessionIdentity.FromSeed(new byte[length]));

    [Fact]
    public void Certificates_FirstUse_TrustsTheFirstAndNoOther()
    {
        using var first = CreateCertificate();
        using var other = CreateCertificate();
        var certificates = new SeedCertificates(SeedTrust.FirstUse);
        Assert.True(certificates.IsTrusted("a", first, SslPolicyErrors.RemoteCertificateChainErrors));
        Assert.True(certificates.IsTrusted("A", first, SslPolicyErrors.None));
        Assert.False(certificates.IsTrusted("a", other, SslPolicyErrors.None));
        Assert.True(certificates.IsTrusted("b", other, SslPolicyErrors.None));

        var later = new SeedCertificates(SeedTrust.FirstUse, certificates.Known);
        Assert.False(later.IsTrusted("a", other, SslPolicyErrors.None));
        Assert.False(later.IsTrusted("a", null, SslPolicyErrors.None));
    }

    [Fact]
    public void Certificates_PinnedAndSystem_AcceptNothingElse()
    {
        using var first = CreateCertificate();
        using var other = CreateCertificate();
        var pin = new Dictionary<string, string> { ["a"] = first.GetCertHashString(HashAlgorithmName.SHA256) };
        var pinned = new SeedCertificates(SeedTrust.Pinned, pin);
        Assert.True(pinned.IsTrusted("a", first, SslPolicyErrors.RemoteCertificateChainErrors));
        Assert.False(pinned.IsTrusted("a", other, SslPolicyErrors.None));
        Assert.False(pinned.IsTrusted("b", first, SslPolicyErrors.None));

        var system = new SeedCertificates(SeedTrust.System, pin);
        Assert.False(system.IsTrusted("a", other, SslPolicyErrors.None));
        Assert.True(system.IsTrusted("b", other, SslPolicyErrors.None));
        Assert.False(system.IsTrusted("b", other, SslPolicyErrors.RemoteCertificateNameMismatch));
    }

    [Fact]
    public void Pool_DropsAfterThreeStrikes_AndForgives()
    {
        var nodes = Enumerable.Range(0, 4).Select(i => new FakeNode(i, Ed25519KeyPair.Generate()).Address).ToArray();
        var pool = new SnodePool(nodes);
        Assert.False(pool.Strike(nodes[0].Ed25519, asDestination: true));
        Assert.False(pool.Strike(nodes[0].Ed25519, asDestination: true));
        Assert.False(pool.Strike(nodes[0].Ed25519, asDestination: false));
        pool.Forgive(nodes[0].Ed25519, asDestination: true);
        Assert.False(pool.Strike(nodes[0].Ed25519, asDestination: true));
        Assert.False(pool.Strike(nodes[0].Ed25519, asDestination: true));
        Assert.True(pool.Strike(nodes[0].Ed25519, asDestination: true));
        Assert.Equal(nodes[1..], pool.Nodes);
    }

    /// <summary>The README shows the program that is compiled, and no more than a screen of it.</summary>
    [Fact]
    public void Readme_ShowsTheExampleProgram()
    {
        var readme = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "README.md")).ReplaceLineEndings("\n");
        var program = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Hello.txt")).ReplaceLineEndings("\n");
        Assert.Contains($"```csharp\n{program}```", readme, StringComparison.Ordinal);
        Assert.InRange(program.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 10, 20);
    }

    private static X509Certificate2 CreateCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=seed", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
    }
}
