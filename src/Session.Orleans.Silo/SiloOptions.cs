using System.ComponentModel.DataAnnotations;
using Session.Orleans.Grains.Placement;

namespace Session.Orleans.Silo;

/// <summary>How this process takes part in the cluster.</summary>
public sealed class SiloOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Silo";

    /// <summary>What this process does in the cluster.</summary>
    [EnumDataType(typeof(SiloRole), ErrorMessage = "Silo:Role must be All, Gateway or Silo.")]
    public SiloRole Role { get; set; }

    /// <summary>Name of the process in logs and in the list of silos; null takes the machine's.</summary>
    public string? Name { get; set; }

    /// <summary>Port for the other silos.</summary>
    [Range(1, 65535, ErrorMessage = "Silo:Port must be between 1 and 65535.")]
    public int Port { get; set; } = 22010;

    /// <summary>IP address at which the other silos reach this one.</summary>
    [Required]
    public string AdvertisedAddress { get; set; } = "127.0.0.1";

    /// <summary>Silos with the same id and store form one cluster.</summary>
    [Required]
    public string ClusterId { get; set; } = "session";

    /// <summary>Redis connection string of the store, in the syntax of StackExchange.Redis; required unless the host is given another way to it.</summary>
    public string Redis { get; set; } = "";

    /// <summary>How long a starting process waits for a store that can't be reached, or a public name that is not known. Zero, the default, gives up at once.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:30:00", ErrorMessage = "Silo:StoreWait must be between 0 s and 30 min.")]
    public TimeSpan StoreWait { get; set; }

    /// <summary>
    /// How long a process that was told to stop goes on as before, while it says at <c>/health/ready</c> that it is not ready: as long as load
    /// balancers need to notice. Zero, the default, where nobody asks.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00", ErrorMessage = "Silo:DrainDelay must be between 0 s and 5 min.")]
    public TimeSpan DrainDelay { get; set; }

    /// <summary>How long a stopping silo may take to finish its requests and hand over, after <see cref="DrainDelay"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00", ErrorMessage = "Silo:ShutdownTimeout must be between 1 s and 5 min.")]
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(4);
}
