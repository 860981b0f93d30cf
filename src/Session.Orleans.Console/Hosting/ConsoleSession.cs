using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Http;
using Session.Orleans.Gateway.Admin;

namespace Session.Orleans.ConsolePage.Hosting;

/// <summary>
/// A login, kept in a cookie that scripts can't read and other sites can't send. It ends after <see cref="Lifetime"/>, with the logout, and when the
/// admin token is replaced.
/// </summary>
internal sealed class ConsoleSession(IDataProtectionProvider protection, AdminToken token)
{
    /// <summary>Name of the cookie.</summary>
    public const string CookieName = "session-console";

    /// <summary>How long a login is good for.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    private const string Content = "operator";

    // The purpose has the token's hash in it: with another token this one's cookies can't be opened.
    private readonly ITimeLimitedDataProtector _protector = protection.CreateProtector(
        "Session.Orleans.Console", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token.Value)))).ToTimeLimitedDataProtector();

    /// <summary>Gives the browser a login.</summary>
    public void Begin(HttpContext context) =>
        context.Response.Cookies.Append(CookieName, _protector.Protect(Content, Lifetime), Options(context));

    /// <summary>Takes it back.</summary>
    public static void End(HttpContext context) => context.Response.Cookies.Delete(CookieName, Options(context));

    /// <summary>True if the request comes with a login.</summary>
    public bool IsPresentedBy(HttpRequest request)
    {
        if (request.Cookies[CookieName] is not { Length: > 0 } cookie)
            return false;
        try
        {
            return _protector.Unprotect(cookie) == Content;
        }
        catch (CryptographicException)
        {
            return false; // expired, of another token, or somebody's invention
        }
    }

    private static CookieOptions Options(HttpContext context) => new()
    {
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,
        Secure = context.Request.IsHttps,
        Path = context.Request.PathBase,
        IsEssential = true,
    };
}
