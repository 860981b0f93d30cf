using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;

namespace Session.Orleans.Grains.ServiceNodes;

/// <summary>Which servers outside the network an exit node may post to (onion-requests.md, 5).</summary>
public sealed class ServerRelayOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "ServerRelay";

    /// <summary>
    /// Allowed servers as <c>host:port</c>. By default only the network's own: relaying to arbitrary hosts would let anybody use the network to
    /// reach what only its machines can reach.
    /// </summary>
    public IList<string> AllowedHosts { get; } = [];

    /// <summary>Adds a server of the network itself, under the addresses at which clients know it.</summary>
    /// <param name="publicIp">What the network advertises.</param>
    /// <param name="bind">Where the server listens; an unspecified address stands for loopback.</param>
    /// <param name="port">Its port.</param>
    public void AllowOwn(string publicIp, string bind, int port)
    {
        var local = IPAddress.TryParse(bind, out var address) && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any)) ? "127.0.0.1" : bind;
        foreach (var host in (string[])[publicIp, local])
        {
            var server = string.Create(CultureInfo.InvariantCulture, $"{host}:{port}");
            if (!AllowedHosts.Contains(server))
                AllowedHosts.Add(server);
        }
    }

    /// <summary>How long a server may take; the network's own limit is 25 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:00:25", ErrorMessage = "ServerRelay:Timeout must be between 1 s and 25 s.")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(25);

    /// <summary>Largest reply that is passed on, in bytes.</summary>
    [Range(1024, 64 * 1024 * 1024, ErrorMessage = "ServerRelay:MaxReplyBytes must be between 1 KiB and 64 MiB.")]
    public int MaxReplyBytes { get; set; } = 12 * 1024 * 1024;
}
