namespace Session.Orleans.Storage.Files;

/// <summary>A file as its record tells. Times are Unix milliseconds.</summary>
/// <param name="Id">The name that clients know it by.</param>
/// <param name="Blob">Key of its bytes.</param>
/// <param name="Size">Number of its bytes.</param>
/// <param name="Uploaded">When it was uploaded last.</param>
/// <param name="Expires">From when on it is gone.</param>
public sealed record StoredFile(string Id, string Blob, long Size, long Uploaded, long Expires);

/// <summary>How an upload ended.</summary>
public enum UploadOutcome
{
    /// <summary>The file is stored, or was already and lives on.</summary>
    Stored,

    /// <summary>Nothing was sent.</summary>
    Empty,

    /// <summary>More was sent than is allowed.</summary>
    TooLarge,

    /// <summary>No random id was free.</summary>
    NoFreeId,
}

/// <summary>The end of an upload.</summary>
/// <param name="Outcome">How it ended.</param>
/// <param name="File">The file, if it is stored.</param>
public readonly record struct UploadResult(UploadOutcome Outcome, StoredFile? File);
