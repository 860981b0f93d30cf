using Session.Orleans.Load;

namespace Session.Orleans.Testnet;

/// <summary>Ends a command with one line for people and an exit code.</summary>
internal sealed class CommandException(int exitCode, string message) : Exception(message)
{
    /// <summary>The process's exit code, one of <see cref="ExitCodes"/>.</summary>
    public int ExitCode { get; } = exitCode;
}

/// <summary>Exit codes of <c>session-testnet</c>.</summary>
internal static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Ok = 0;

    /// <summary>The command failed; the last line on standard error says why.</summary>
    public const int Failed = 1;

    /// <summary>An option or argument is wrong.</summary>
    public const int Usage = 2;

    /// <summary>No testnet runs where the command looked for one.</summary>
    public const int NotRunning = 3;

    /// <summary>The seed's certificate is not the one that was asked for.</summary>
    public const int Untrusted = 5;

    /// <summary>The seed's host does not exist, or what answers there is no seed.</summary>
    public const int UnknownSeed = 6;

    /// <summary>The seed's certificate has expired or is not valid yet.</summary>
    public const int CertificateExpired = 7;

    /// <summary>A scenario or load plan can't be read: the message names the line.</summary>
    public const int Malformed = 8;

    /// <summary>A benchmark is slower than the saved one it was compared with.</summary>
    public const int Slower = 9;

    /// <summary>Stopped by Ctrl-C before it was done.</summary>
    public const int Interrupted = 130;

    /// <summary>A check of the command's own found something wrong: a reply, a signature, a measured figure.</summary>
    public const int CheckFailed = 4;

    /// <summary>The code for a run that could not begin or go on.</summary>
    public static int Of(LoadFailure failure) => failure switch
    {
        LoadFailure.Usage => Usage,
        LoadFailure.Unreachable => NotRunning,
        LoadFailure.UnknownSeed => UnknownSeed,
        LoadFailure.Untrusted => Untrusted,
        LoadFailure.CertificateExpired => CertificateExpired,
        _ => Failed,
    };
}
