using System.ComponentModel.DataAnnotations;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>Where the gateway listens and how much it takes.</summary>
public sealed class GatewayOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Gateway";

    /// <summary>False opens the admin port alone: what a silo without clients does.</summary>
    public bool TakesClients { get; set; } = true;

    /// <summary>IP address to listen on; <c>0.0.0.0</c> for all.</summary>
    [Required]
    public string Bind { get; set; } = "127.0.0.1";

    /// <summary>HTTPS port of the seed node, which also serves every node under <c>/snodes/{ed25519}/</c>. 0 takes a free port.</summary>
    [Range(0, 65535, ErrorMessage = "Gateway:SeedPort must be between 0 and 65535.")]
    public int SeedPort { get; set; } = 22000;

    /// <summary>HTTP port of the admin API and the health checks. 0 takes a free port.</summary>
    [Range(0, 65535, ErrorMessage = "Gateway:AdminPort must be between 0 and 65535.")]
    public int AdminPort { get; set; } = 22001;

    /// <summary>Port of the community server, plain HTTP and HTTPS; null, the default, opens none. 0 takes a free port.</summary>
    [Range(0, 65535, ErrorMessage = "Gateway:CommunityPort must be between 0 and 65535.")]
    public int? CommunityPort { get; set; }

    /// <summary>
    /// Port of the file server, HTTP and HTTPS, if <see cref="Files.FilesOptions.Enabled"/>; clients are told <c>http</c>. 0 takes a free port.
    /// </summary>
    [Range(0, 65535, ErrorMessage = "Gateway:FilePort must be between 0 and 65535.")]
    public int FilePort { get; set; } = 22002;

    /// <summary>Node i listens at this port plus i (HTTPS).</summary>
    [Range(1, 65535, ErrorMessage = "Gateway:NodePortBase must be between 1 and 65535.")]
    public int NodePortBase { get; set; } = 22100;

    /// <summary>Number of node ports to open; 0 opens none, for one-port deployments.</summary>
    [Range(0, 500, ErrorMessage = "Gateway:NodePorts must be between 0 and 500.")]
    public int NodePorts { get; set; } = 32;

    /// <summary>
    /// True to listen for OxenMQ as well: node i at <see cref="NodePortBase"/> plus 500 plus i, for as many nodes as have HTTPS ports.
    /// </summary>
    public bool OmqEnabled { get; set; } = true;

    /// <summary>
    /// True lets several processes of one machine listen on the same ports (Linux): the system spreads connections over them, and one can take
    /// over from another without a gap. <see cref="HealthPort"/> is never shared.
    /// </summary>
    public bool SharePorts { get; set; }

    /// <summary>A further port like <see cref="AdminPort"/>, for those who ask about this process and no other; null, the default, opens none.</summary>
    [Range(1, 65535, ErrorMessage = "Gateway:HealthPort must be between 1 and 65535.")]
    public int? HealthPort { get; set; }

    /// <summary>Certificate chain in PEM; without it a self-signed one is made and kept in <see cref="DataDirectory"/>.</summary>
    public string? CertificateFile { get; set; }

    /// <summary>Private key in PEM that belongs to <see cref="CertificateFile"/>.</summary>
    public string? KeyFile { get; set; }

    /// <summary>Folder for the self-signed certificate and the admin token; null keeps both in memory only.</summary>
    public string? DataDirectory { get; set; }

    /// <summary>Bearer token of the admin API; without it a random one is made and kept in <see cref="DataDirectory"/>.</summary>
    public string? AdminToken { get; set; }

    /// <summary>Requests in progress at once; more are answered 503 <c>Server busy, try again later</c>.</summary>
    [Range(1, 1_000_000, ErrorMessage = "Gateway:MaxConcurrentRequests must be between 1 and 1000000.")]
    public int MaxConcurrentRequests { get; set; } = 4096;

    /// <summary>
    /// MiB that the bodies of requests above 256 KiB may hold at once; a request that brings more is answered 503 <c>Server busy, try again
    /// later</c>. Null, the default, is a sixteenth of the memory that the process may use, and at least one body of the largest size.
    /// </summary>
    [Range(1, 1024 * 1024, ErrorMessage = "Gateway:BodyMemoryMiB must be between 1 and 1048576.")]
    public int? BodyMemoryMiB { get; set; }
}
