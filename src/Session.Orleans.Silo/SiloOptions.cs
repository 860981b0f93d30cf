using System.ComponentModel.DataAnnotations;

namespace Session.Orleans.Silo;

/// <summary>How this process takes part in the cluster.</summary>
public sealed class SiloOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Silo";

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

    /// <summary>How long a stopping silo may take to finish its requests and hand over.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00", ErrorMessage = "Silo:ShutdownTimeout must be between 1 s and 5 min.")]
    public TimeSpan ShutdownTimeout { get; set; } = TimeSpan.FromSeconds(4);
}
