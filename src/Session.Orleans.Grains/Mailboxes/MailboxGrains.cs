using Microsoft.Extensions.Options;

namespace Session.Orleans.Grains.Mailboxes;

/// <summary>
/// The way to mailboxes: directly if the grain is active on this silo, else by message. <c>GetGrain&lt;T&gt;(string)</c> looks the interface
/// up by reflection at each call, which shows in the cost of a poll; here it is done once.
/// </summary>
internal sealed class MailboxGrains(IGrainFactory grains, IOptions<LocalCallOptions> options)
{
    private readonly Lazy<GrainReference> _template = new(() => (GrainReference)grains.GetGrain<IMailboxGrain>(default(AccountId).ToString()));

    /// <summary>The mailboxes that are active on this silo. They let one change in at a time, whichever way it comes.</summary>
    public LocalActivations<AccountId, IMailboxGrain> Local { get; } = new(options.Value.Direct);

    /// <summary>The account's mailbox: its activation if it is on this silo, else a reference.</summary>
    public IMailboxGrain For(AccountId account) => Local.TryGet(account, out var activation) ? activation : Reference(account);

    /// <summary>A reference to the account's mailbox.</summary>
    public IMailboxGrain Reference(AccountId account)
    {
        var template = _template.Value;
        return (IMailboxGrain)grains.GetGrain(GrainId.Create(template.GrainId.Type, account.ToString()), template.InterfaceType);
    }
}
