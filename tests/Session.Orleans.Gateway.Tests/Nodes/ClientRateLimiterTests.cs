using System.Net;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using Session.Orleans.Gateway.Nodes;

namespace Session.Orleans.Gateway.Tests.Nodes;

public sealed class ClientRateLimiterTests
{
    private static readonly IPAddress Client = IPAddress.Parse("203.0.113.7");

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void TryTake_DefaultBurst_Is600AndThen300PerSecond()
    {
        var limiter = Create(new());
        Assert.Equal(600, Take(limiter, Client, 1000));
        _time.Advance(TimeSpan.FromMilliseconds(100));
        Assert.Equal(30, Take(limiter, Client, 1000));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(600, Take(limiter, Client, 1000));
    }

    [Fact]
    public void TryTake_Addresses_DoNotShareAnAllowance()
    {
        var limiter = Create(new() { Burst = 2 });
        Assert.Equal(2, Take(limiter, Client, 5));
        Assert.Equal(2, Take(limiter, IPAddress.Parse("203.0.113.8"), 5));
    }

    [Fact]
    public void TryTake_MappedAddress_IsTheSameClient()
    {
        var limiter = Create(new() { Burst = 2 });
        Assert.Equal(2, Take(limiter, Client, 5));
        Assert.Equal(0, Take(limiter, Client.MapToIPv6(), 5));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("127.3.2.1")]
    [InlineData("::1")]
    public void TryTake_Loopback_IsNotLimited(string address) =>
        Assert.Equal(5000, Take(Create(new() { Burst = 1 }), IPAddress.Parse(address), 5000));

    [Fact]
    public void TryTake_OtherExemptNetworks_ReplaceLoopback()
    {
        var limiter = Create(new() { Burst = 1, Exempt = ["203.0.113.0/24"] });
        Assert.Equal(9, Take(limiter, Client, 9));
        Assert.Equal(1, Take(limiter, IPAddress.Loopback, 9));
    }

    [Fact]
    public void TryTake_TooManyAddresses_NewOnesAreRefusedUntilAnOldOneIsQuiet()
    {
        var limiter = Create(new() { Burst = 10, PerSecond = 10, MaxAddresses = 3 });
        for (var i = 1; i <= 3; i++)
            Assert.True(limiter.TryTake(IPAddress.Parse($"203.0.113.{i}")));
        Assert.False(limiter.TryTake(IPAddress.Parse("203.0.113.4")));
        Assert.True(limiter.TryTake(IPAddress.Parse("203.0.113.1")));
        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(limiter.TryTake(IPAddress.Parse("203.0.113.4")));
    }

    [Fact]
    public void Create_NetworkThatIsNone_NamesIt()
    {
        var options = new RateLimitOptions { Exempt = ["10.0.0.0/99"] };
        var exception = Assert.Throws<InvalidOperationException>(() => Create(options));
        Assert.Contains("'10.0.0.0/99'", exception.Message, StringComparison.Ordinal);
    }

    private static int Take(ClientRateLimiter limiter, IPAddress address, int times) =>
        Enumerable.Range(0, times).Count(_ => limiter.TryTake(address));

    private ClientRateLimiter Create(RateLimitOptions options) => new(Options.Create(options), _time);
}
