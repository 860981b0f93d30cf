using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Session.Orleans.Contracts;
using Session.Orleans.Grains.Network;

namespace Session.Orleans.Testnet;

/// <summary>Turns the reasons why a host did not start into one line and an exit code.</summary>
internal static class HostErrors
{
    /// <summary>Runs a host.</summary>
    /// <exception cref="CommandException">It could not be built or started.</exception>
    public static async Task<int> TranslateAsync(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception exception) when (exception is ValidationException or OptionsValidationException)
        {
            throw new CommandException(ExitCodes.Usage, exception.Message);
        }
        catch (AggregateException exception) when (exception.InnerExceptions.All(inner => inner is OptionsValidationException))
        {
            throw new CommandException(ExitCodes.Usage, string.Join(' ', exception.InnerExceptions.Select(inner => inner.Message)));
        }
        catch (Exception exception) when (exception is InvalidOperationException or EmbeddedStore.EmbeddedStoreException or NetworkPlanException or IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCodes.Failed, exception.Message);
        }
    }

    /// <summary>Starts a host and returns when it knows the network.</summary>
    public static async Task StartAsync(WebApplication app, CancellationToken cancellationToken)
    {
        var views = app.Services.GetRequiredService<NetworkViewSource>();
        try
        {
            await app.StartAsync(cancellationToken);
            await views.WaitForFirstAsync(app.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping);
        }
        catch (OperationCanceledException) when (views.HasFailed)
        {
            await views.WaitForFirstAsync(CancellationToken.None); // throws the reason why the host gave up
        }
    }
}
