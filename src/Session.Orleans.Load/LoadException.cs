namespace Session.Orleans.Load;

/// <summary>Why a run can't begin or go on.</summary>
internal enum LoadFailure
{
    /// <summary>An option or a file says something that can't be.</summary>
    Usage,

    /// <summary>No network answers where one was looked for.</summary>
    Unreachable,

    /// <summary>The seed's host does not exist, or what answers there is no seed.</summary>
    UnknownSeed,

    /// <summary>The seed's certificate is not the one that was asked for.</summary>
    Untrusted,

    /// <summary>The seed's certificate has expired or is not valid yet.</summary>
    CertificateExpired,

    /// <summary>Anything else.</summary>
    Failed,
}

/// <summary>Ends a run with one line for people.</summary>
internal sealed class LoadException(LoadFailure failure, string message) : Exception(message)
{
    /// <summary>What kind of reason it is.</summary>
    public LoadFailure Failure { get; } = failure;
}
