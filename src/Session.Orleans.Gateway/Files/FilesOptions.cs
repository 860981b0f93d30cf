using System.ComponentModel.DataAnnotations;
using Session.Orleans.Protocol.FileServer;

namespace Session.Orleans.Gateway.Files;

/// <summary>What the file server takes and for how long (file-server.md, 3).</summary>
public sealed class FilesOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Files";

    /// <summary>False: this silo serves no files.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>
    /// Largest file, in bytes; more is answered 413. The default takes what clients send; the reference server stops at 6,000,000. Through
    /// onions no more than about 10,480,000 arrive, whatever is set here.
    /// </summary>
    [Range(1, 1L << 40, ErrorMessage = "Files:MaxFileBytes must be between 1 byte and 1 TiB.")]
    public long MaxFileBytes { get; set; } = FileServerLimits.ClientMaxFileBytes;

    /// <summary>How long a file is kept.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00", ErrorMessage = "Files:TimeToLive must be between 1 s and 3650 days.")]
    public TimeSpan TimeToLive { get; set; } = TimeSpan.FromSeconds(FileServerLimits.DefaultTtlSeconds);

    /// <summary>The longest time that an upload may ask for with <c>X-FS-TTL</c>. Null, the default, does not look at that header.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00", ErrorMessage = "Files:MaxTimeToLive must be between 1 s and 3650 days.")]
    public TimeSpan? MaxTimeToLive { get; set; }

    /// <summary><see cref="FileIdMode.Content"/> keeps the same bytes once; <see cref="FileIdMode.Numeric"/> is for clients that want numbers.</summary>
    [EnumDataType(typeof(FileIdMode), ErrorMessage = "Files:Ids must be Content or Numeric.")]
    public FileIdMode Ids { get; set; } = FileIdMode.Content;

    /// <summary>Uploads and downloads in progress at once; more are answered 503.</summary>
    [Range(1, 100_000, ErrorMessage = "Files:MaxTransfers must be between 1 and 100000.")]
    public int MaxTransfers { get; set; } = 256;

    /// <summary>A transfer slower than this, after its first ten seconds, is broken off.</summary>
    [Range(1, 1_000_000_000, ErrorMessage = "Files:MinBytesPerSecond must be between 1 and 1000000000.")]
    public int MinBytesPerSecond { get; set; } = 8 * 1024;

    /// <summary>Memory for the bodies of onion requests that are served at once, in MiB; more are answered 503.</summary>
    [Range(16, 1024 * 1024, ErrorMessage = "Files:OnionMemoryMiB must be between 16 and 1048576.")]
    public int OnionMemoryMiB { get; set; } = 256;

    /// <summary>Time between two clean-ups.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "1.00:00:00", ErrorMessage = "Files:CleanUpInterval must be between 100 ms and 1 day.")]
    public TimeSpan CleanUpInterval { get; set; } = TimeSpan.FromSeconds(FileServerLimits.CleanUpSeconds);

    /// <summary>The release that <c>/session_version</c> names for every platform, <c>x.y.z</c>; empty answers 502, as if nothing were known.</summary>
    [RegularExpression(@"^(\d+\.\d+\.\d+)?$", ErrorMessage = "Files:SessionVersion must be three numbers, for example 1.2.3.")]
    public string SessionVersion { get; set; } = "1.0.0";
}
