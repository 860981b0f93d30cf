using System.ComponentModel.DataAnnotations;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Configuration;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Silo;

/// <summary>
/// The address that nodes advertise may be given as a name, as that of the service in front of a cluster: clients are told IPv4 addresses, so it
/// is looked up once, at start.
/// </summary>
internal static class PublicAddress
{
    private const string Option = $"{NetworkOptions.Section}:{nameof(NetworkOptions.PublicIp)}";

    // Where nobody answers at all.
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(10);

    /// <summary>Replaces a name by its first IPv4 address.</summary>
    /// <param name="configuration">The options.</param>
    /// <param name="wait">How long to ask again for a name that has none: one that was made a moment ago may not be known yet.</param>
    /// <exception cref="ValidationException">The name has none.</exception>
    public static async Task ResolveAsync(ConfigurationManager configuration, TimeSpan wait)
    {
        if (configuration[Option] is not { Length: > 0 } name || IPAddress.TryParse(name, out _) || Uri.CheckHostName(name) is not UriHostNameType.Dns)
            return; // what is neither is told by the option's own check
        using var limit = new CancellationTokenSource(wait + AnswerLimit);
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            try
            {
                // Ordered, so that all processes of a cluster choose the same one.
                var addresses = await Dns.GetHostAddressesAsync(name, AddressFamily.InterNetwork, limit.Token);
                configuration[Option] = addresses.Select(address => address.ToString()).Order(StringComparer.Ordinal).First();
                return;
            }
            catch (SocketException exception) when (Stopwatch.GetElapsedTime(start) >= wait)
            {
                throw new ValidationException($"{Option}: '{name}' has no IPv4 address: {exception.Message}");
            }
            catch (SocketException)
            {
                // asked again below
            }
            catch (OperationCanceledException)
            {
                throw new ValidationException($"{Option}: '{name}' has no IPv4 address, or nobody says it.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500));
        }
    }
}
