using System.Text;

namespace Session.Orleans.Contracts.Communities;

/// <summary>
/// A community's answer, ready for the wire. Rooms write their JSON where they are, so that an answer crosses silos as bytes and a poll that
/// finds nothing new allocates none.
/// </summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Body">The body; empty if there is none.</param>
/// <param name="IsJson">True for <c>application/json</c>, false for <c>text/plain; charset=utf-8</c>.</param>
[GenerateSerializer, Immutable, Alias("session.CommunityReply")]
public sealed record CommunityReply([property: Id(0)] int Status, [property: Id(1)] ReadOnlyMemory<byte> Body, [property: Id(2)] bool IsJson)
{
    /// <summary>An empty list.</summary>
    public static CommunityReply EmptyList { get; } = Json("[]"u8.ToArray());

    /// <summary>An empty object.</summary>
    public static CommunityReply Done { get; } = Json("{}"u8.ToArray());

    /// <summary>404.</summary>
    public static CommunityReply NotFound { get; } = Text(404, "Not Found");

    /// <summary>401: the request is anonymous.</summary>
    public static CommunityReply UserRequired { get; } = Text(401, "X-SOGS-* request authentication required");

    /// <summary>403.</summary>
    public static CommunityReply Denied { get; } = Text(403, "Permission denied");

    /// <summary>403: reading is not allowed.</summary>
    public static CommunityReply ReadRequired { get; } = Text(403, "This endpoint requires room message 'read' permission");

    /// <summary>403: for moderators only.</summary>
    public static CommunityReply ModeratorRequired { get; } = Text(403, "This endpoint requires moderator room permissions");

    /// <summary>403: for admins only.</summary>
    public static CommunityReply AdminRequired { get; } = Text(403, "This endpoint requires admin room permissions");

    /// <summary>429.</summary>
    public static CommunityReply RateLimited { get; } = Text(429, "Rate limited");

    /// <summary>True for 200 to 299.</summary>
    public bool IsSuccess => Status is >= 200 and < 300;

    /// <summary>An answer in JSON.</summary>
    public static CommunityReply Json(ReadOnlyMemory<byte> body, int status = 200) => new(status, body, true);

    /// <summary>An answer in words.</summary>
    public static CommunityReply Text(int status, string text) => new(status, Encoding.UTF8.GetBytes(text), false);
}
