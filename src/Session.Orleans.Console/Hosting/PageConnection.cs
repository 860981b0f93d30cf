using Microsoft.AspNetCore.Components.Server.Circuits;

namespace Session.Orleans.ConsolePage.Hosting;

/// <summary>Whether a page's browser is there. One that has gone may come back for a while, and its page is kept; nobody looks at it meanwhile.</summary>
internal sealed class PageConnection : CircuitHandler
{
    /// <summary>Called from any thread, with whether it is there now.</summary>
    public event Action<bool>? Changed;

    public override Task OnConnectionUpAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        Changed?.Invoke(true);
        return Task.CompletedTask;
    }

    public override Task OnConnectionDownAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        Changed?.Invoke(false);
        return Task.CompletedTask;
    }
}
