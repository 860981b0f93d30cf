using Session.Orleans.Protocol.Identity;
using Session.Orleans.Protocol.Onion;

namespace Session.Orleans.Client;

/// <summary>How to reach a network.</summary>
public sealed record SessionNetworkOptions
{
    /// <summary>Root URLs of seed nodes. All are asked at once; the first good answer counts.</summary>
    public required IReadOnlyList<Uri> Seeds { get; init; }

    /// <summary>The seeds' certificates. By default the first one seen is trusted, as private networks need it.</summary>
    public SeedCertificates Certificates { get; init; } = new(SeedTrust.FirstUse);

    /// <summary>Cipher of all onion layers.</summary>
    public OnionCipher Cipher { get; init; } = OnionCipher.XChaCha20;

    /// <summary>How long one request to a node may take; clients use 10 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a request is tried altogether.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>Pause before the second attempt; it doubles each time.</summary>
    public TimeSpan RetryDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Fewest nodes that the lists of several nodes must have in common to replace the pool; with fewer the seeds are asked.</summary>
    public int LeastCommonNodes { get; init; } = 24;

    /// <summary>Guards of an earlier run (<see cref="OnionPaths.Guards"/>).</summary>
    public IReadOnlyList<Ed25519PublicKey> Guards { get; init; } = [];

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>
    /// Carries all HTTP, also to seeds, whose certificates are then its business; disposed with the network. Null: a connection pool of the
    /// network's own.
    /// </summary>
    public HttpMessageHandler? Handler { get; init; }
}
