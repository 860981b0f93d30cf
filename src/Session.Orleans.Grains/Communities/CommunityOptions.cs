using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;
using Session.Orleans.Protocol.Communities;

namespace Session.Orleans.Grains.Communities;

/// <summary>How the community server behaves; the defaults are the protocol's (communities.md).</summary>
public sealed class CommunityOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "Communities";

    /// <summary>Refuses users that are not blinded, and says so among the capabilities.</summary>
    public bool RequireBlinded { get; set; } = true;

    /// <summary>Takes users with 25 ids besides those with 15 ids. Current servers refuse them.</summary>
    public bool AcceptBlinded25 { get; set; }

    /// <summary>Verifies the signature under every post and refuses wrong ones. Off by default: servers leave that to clients.</summary>
    public bool VerifyPosts { get; set; }

    /// <summary>Rooms to make at the start if they are missing.</summary>
    public IList<string> Rooms { get; } = [];

    /// <summary>How long a user counts as active after reading.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "60.00:00:00", ErrorMessage = "Communities:ActiveCutoff must be between 1 minute and 60 days.")]
    public TimeSpan ActiveCutoff { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long nonces are remembered. A signature is good for a day before and after its time, so less than 48 h would let it be replayed.</summary>
    [Range(typeof(TimeSpan), "2.00:00:00", "30.00:00:00", ErrorMessage = "Communities:NonceLifetime must be between 48 h and 30 days.")]
    public TimeSpan NonceLifetime { get; set; } = TimeSpan.FromHours(48);

    /// <summary>Posts that a user may make in a room within <see cref="RatePeriod"/>.</summary>
    [Range(1, 1_000_000, ErrorMessage = "Communities:RatePosts must be between 1 and 1000000.")]
    public int RatePosts { get; set; } = 5;

    /// <summary>See <see cref="RatePosts"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00", ErrorMessage = "Communities:RatePeriod must be between 1 s and 1 h.")]
    public TimeSpan RatePeriod { get; set; } = TimeSpan.FromSeconds(16);

    /// <summary>Largest file, in bytes; more is answered 413.</summary>
    [Range(1, 64 * 1024 * 1024, ErrorMessage = "Communities:FileBytes must be between 1 byte and 64 MiB.")]
    public int FileBytes { get; set; } = 10_000_000;

    /// <summary>Largest request body, in bytes: a batch may carry a file in base64 besides other requests.</summary>
    public int MaxBodyBytes => FileBytes + (FileBytes / 2) + (1024 * 1024);

    /// <summary>Most requests in a batch or sequence.</summary>
    [Range(1, 1000, ErrorMessage = "Communities:BatchRequests must be between 1 and 1000.")]
    public int BatchRequests { get; set; } = 100;

    internal CommunityIdRules IdRules => new(RequireBlinded, AcceptBlinded25);
}

/// <summary>Checks what annotations can't say.</summary>
internal sealed class CommunityRoomsValidator : IValidateOptions<CommunityOptions>
{
    public ValidateOptionsResult Validate(string? name, CommunityOptions options) =>
        options.Rooms.FirstOrDefault(token => !CommunityUrl.IsToken(token)) is { } bad
            ? ValidateOptionsResult.Fail($"Communities:Rooms: '{bad}' is no room token; it must be 1 to 64 letters, digits, '_' or '-'.")
            : ValidateOptionsResult.Success;
}
