using System.ComponentModel.DataAnnotations;

namespace Session.Orleans.Silo;

/// <summary>An S3-compatible store for the bytes of files, instead of Redis. The files' records stay in Redis.</summary>
public sealed class FileStorageOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Files:S3";

    /// <summary>An existing bucket; null, the default, keeps the bytes in Redis.</summary>
    [RegularExpression("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", ErrorMessage = "Files:S3:Bucket must be the name of a bucket: 3 to 63 lower-case letters, digits, dots and hyphens.")]
    public string? Bucket { get; set; }

    /// <summary>Address of the service; null takes Amazon's of the region.</summary>
    [Url(ErrorMessage = "Files:S3:Endpoint must be an address, for example https://s3.example:9000.")]
    public string? Endpoint { get; set; }

    /// <summary>Region, which signatures name.</summary>
    [Required(ErrorMessage = "Files:S3:Region must be given.")]
    public string Region { get; set; } = "us-east-1";

    /// <summary>What the names of all objects begin with.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>Access key; null takes the credentials of the environment, as Amazon's tools do.</summary>
    public string? AccessKey { get; set; }

    /// <summary>Secret that belongs to <see cref="AccessKey"/>.</summary>
    public string? SecretKey { get; set; }
}
