namespace Session.Orleans.Contracts.Communities;

/// <summary>Who asks a community for something, as the authentication found (communities.md, 1 and 3).</summary>
/// <param name="Id">The user's id, 66 hex digits in lower case; null for anonymous requests.</param>
/// <param name="IsGlobalModerator">True for moderators and admins of the whole server.</param>
/// <param name="IsGlobalAdmin">True for admins of the whole server.</param>
/// <param name="IsSystem">True for the server's operator, who may do everything and is listed nowhere.</param>
[GenerateSerializer, Immutable, Alias("session.CommunityCaller")]
public sealed record CommunityCaller(
    [property: Id(0)] string? Id, [property: Id(1)] bool IsGlobalModerator, [property: Id(2)] bool IsGlobalAdmin, [property: Id(3)] bool IsSystem = false)
{
    /// <summary>Nobody in particular.</summary>
    public static CommunityCaller Anonymous { get; } = new(null, false, false);

    /// <summary>The operator, under the id <c>ff</c> and the server's key.</summary>
    public static CommunityCaller System(string serverKey) => new("ff" + serverKey, true, true, true);
}
