namespace Session.Orleans.Protocol.FileServer;

/// <summary>Numbers of the file server's protocol (file-server.md, 3.9).</summary>
public static class FileServerLimits
{
    /// <summary>Largest file of the reference server, in bytes.</summary>
    public const int ReferenceMaxFileBytes = 6_000_000;

    /// <summary>
    /// Largest file that clients send: 10,000,000 bytes before encryption (messages.md, attachments), and room for what encryption adds.
    /// </summary>
    public const int ClientMaxFileBytes = 10_000_000 + 1024;

    /// <summary>How long a file is kept, in seconds: three weeks.</summary>
    public const int DefaultTtlSeconds = 1_814_400;

    /// <summary>Longest id, which is a content-derived one.</summary>
    public const int MaxIdLength = 44;

    /// <summary>Random ids tried for one file before the upload fails.</summary>
    public const int MaxIdAttempts = 25;

    /// <summary>Seconds between two clean-ups.</summary>
    public const int CleanUpSeconds = 15;

    /// <summary>How far the time of an authenticated request may be off, in seconds (section 3.7).</summary>
    public const int AuthenticationToleranceSeconds = 24 * 3600;
}
