using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;
using Session.Orleans.Gateway.Hosting;

namespace Session.Orleans.Gateway.Admin;

/// <summary>The bearer token of the admin API: configured, or made at the first start and kept in a file only its owner may read.</summary>
public sealed class AdminToken
{
    /// <summary>Name of the token's file in the data directory.</summary>
    public const string FileName = "admin.token";

    private readonly byte[] _expected;
    private readonly byte[] _value;

    /// <summary>Reads or makes the token.</summary>
    public AdminToken(IOptions<GatewayOptions> options)
    {
        var gateway = options.Value;
        Value = !string.IsNullOrWhiteSpace(gateway.AdminToken) ? gateway.AdminToken
            : gateway.DataDirectory is { } directory ? SecretFile.ReadOrCreate(Path.Combine(directory, FileName), Generate)
            : Generate();
        _expected = Encoding.UTF8.GetBytes("Bearer " + Value);
        _value = Encoding.UTF8.GetBytes(Value);
    }

    /// <summary>The token.</summary>
    public string Value { get; }

    /// <summary>True if the request carries <c>Authorization: Bearer</c> and the token.</summary>
    public bool IsPresentedBy(HttpRequest request) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(request.Headers.Authorization.ToString()), _expected);

    /// <summary>True if <paramref name="text"/> is the token.</summary>
    public bool Is(string text) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(text), _value);

    private static string Generate() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
}
