using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MudBlazor.Services;
using Orleans.Dashboard;
using Session.Orleans.ConsolePage.Components;
using Session.Orleans.ConsolePage.Model;
using Session.Orleans.ConsolePage.Watch;
using Session.Orleans.Gateway.Admin;
using Session.Orleans.Grains;
using StackExchange.Redis;

namespace Session.Orleans.ConsolePage.Hosting;

/// <summary>Adds the console page to a host.</summary>
public static class ConsoleExtensions
{
    /// <summary>Path of the page on the admin port.</summary>
    public const string Path = "/console";

    private const string LoginPath = "/login", LogoutPath = "/logout", DashboardPath = "/orleans";

    // Longer than a short break of the connection takes.
    private static readonly TimeSpan LostPageRetention = TimeSpan.FromSeconds(20);

    /// <summary>Registers the page and what it reads, unless <see cref="ConsoleOptions.Enabled"/> is false.</summary>
    public static WebApplicationBuilder AddSessionConsole(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSectionOptions<ConsoleOptions>(ConsoleOptions.Section);
        if (!IsOn(builder.Configuration, nameof(ConsoleOptions.Enabled), isDefault: true))
            return builder;
        services.AddSingleton<SiloWatchClient>();
        services.AddSingleton<ConsoleFeed>();
        services.AddSingleton<FaultDesk>();
        services.AddSingleton<ConsoleSession>();
        services.AddSingleton<ConsoleAssets>();
        services.AddDataProtection();
        services.AddOptions<KeyManagementOptions>().Configure<IConnectionMultiplexer>((keys, connection) => keys.XmlRepository = new KeyRing(connection));
        // It warns that keys are not encrypted in the store. Who reads the store has the network in hand.
        builder.Logging.AddFilter("Microsoft.AspNetCore.DataProtection", LogLevel.Error);
        services.AddRazorComponents().AddInteractiveServerComponents(circuits => circuits.DisconnectedCircuitRetentionPeriod = LostPageRetention);
        services.AddScoped<PageConnection>();
        services.AddScoped<CircuitHandler>(page => page.GetRequiredService<PageConnection>());
        services.AddMudServices();
        return builder;
    }

    /// <summary>Adds what the page asks every silo.</summary>
    public static ISiloBuilder AddSessionConsole(this ISiloBuilder silo, IConfiguration configuration)
    {
        if (!IsOn(configuration, nameof(ConsoleOptions.Enabled), isDefault: true))
            return silo;
        silo.AddGrainService<SiloWatch>();
        if (IsOn(configuration, nameof(ConsoleOptions.OrleansDashboard), isDefault: false))
            silo.AddDashboard();
        return silo;
    }

    /// <summary>Serves the page on the admin port.</summary>
    public static void UseSessionConsole(this IApplicationBuilder admin)
    {
        if (admin.ApplicationServices.GetService<ConsoleSession>() is not { } session)
            return;
        var assets = admin.ApplicationServices.GetRequiredService<ConsoleAssets>();
        var lifetime = admin.ApplicationServices.GetRequiredService<IHostApplicationLifetime>();
        var hasDashboard = IsOn(admin.ApplicationServices.GetRequiredService<IConfiguration>(), nameof(ConsoleOptions.OrleansDashboard), isDefault: false);
        admin.Use(next => context =>
        {
            if (context.Request.Path.Value is not ("/" or Path) || !HttpMethods.IsGet(context.Request.Method))
                return next(context);
            context.Response.Redirect(Path + "/");
            return Task.CompletedTask;
        });
        admin.Map(Path, console =>
        {
            // Pages lose their connection when the process begins to stop, and connect anew at once. The port is open as long as the last requests
            // take, and the silo's time would go by with waiting for that connection.
            console.Use(next => context => lifetime.ApplicationStopping.IsCancellationRequested
                ? TypedResults.Problem("This process stops.", statusCode: 503).ExecuteAsync(context) : next(context));
            console.Use(next => context => GuardAsync(context, session, assets, next));
            console.UseRouting();
            console.UseAntiforgery();
            console.UseEndpoints(routes => MapPages(routes, hasDashboard));
        });
    }

    private static bool IsOn(IConfiguration configuration, string option, bool isDefault) =>
        configuration.GetSection(ConsoleOptions.Section).GetValue(option, isDefault);

    /// <summary>Lets only the login page, its styles and those who have logged in through.</summary>
    private static async Task GuardAsync(HttpContext context, ConsoleSession session, ConsoleAssets assets, RequestDelegate next)
    {
        var (request, response) = (context.Request, context.Response);
        response.Headers.XContentTypeOptions = "nosniff";
        if (request.Path.StartsWithSegments(ConsoleAssets.Prefix, out var name) && await assets.TryServeAsync(context, name.ToString().TrimStart('/')))
            return;

        response.Headers.XFrameOptions = "DENY";
        response.Headers["Referrer-Policy"] = "same-origin";
        if (!request.Path.StartsWithSegments(DashboardPath)) // whose pages have scripts and styles in their text
            response.Headers.ContentSecurityPolicy = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
        if (request.Path == LoginPath)
        {
            await next(context);
        }
        else if (!session.IsPresentedBy(request))
        {
            if (HttpMethods.IsGet(request.Method) && !context.WebSockets.IsWebSocketRequest && request.Headers.Upgrade.Count == 0)
                response.Redirect($"{request.PathBase}{LoginPath}");
            else
                await TypedResults.Problem("The console wants a login.", statusCode: 401).ExecuteAsync(context);
        }
        else if (request.Headers.Origin is [{ } origin] && origin != $"{request.Scheme}://{request.Host}")
        {
            // The cookie is not sent from other sites, but other ports of this machine are the same site to a browser.
            await TypedResults.Problem("The console takes no requests from other pages.", statusCode: 403).ExecuteAsync(context);
        }
        else
        {
            await next(context);
        }
    }

    private static void MapPages(IEndpointRouteBuilder routes, bool hasDashboard)
    {
        routes.MapGet(LoginPath, () => LoginPage(null)).ExcludeFromDescription();
        routes.MapPost(LoginPath, IResult (HttpContext context, [FromForm] string? token, AdminToken expected, ConsoleSession session) =>
        {
            if (!expected.Is((token ?? "").Trim()))
            {
                var page = LoginPage("That is not the admin token.");
                page.StatusCode = 401;
                return page;
            }

            session.Begin(context);
            return TypedResults.Redirect($"{context.Request.PathBase}/");
        }).ExcludeFromDescription();
        routes.MapPost(LogoutPath, RedirectHttpResult (HttpContext context, [FromForm] string? reason) =>
        {
            ConsoleSession.End(context);
            return TypedResults.Redirect($"{context.Request.PathBase}{LoginPath}");
        }).ExcludeFromDescription();
        if (hasDashboard)
            routes.MapOrleansDashboard(DashboardPath);
        routes.MapRazorComponents<App>().AddInteractiveServerRenderMode();
    }

    private static RazorComponentResult<Login> LoginPage(string? problem) => new(new Dictionary<string, object?> { [nameof(Login.Problem)] = problem });
}
