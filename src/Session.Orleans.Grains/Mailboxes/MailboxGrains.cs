namespace Session.Orleans.Grains.Mailboxes;

/// <summary>
/// References to mailboxes. <c>GetGrain&lt;T&gt;(string)</c> looks the interface up by reflection at each call, which shows in the cost of
/// a poll; here it is done once.
/// </summary>
internal sealed class MailboxGrains(IGrainFactory grains)
{
    private readonly Lazy<GrainReference> _template = new(() => (GrainReference)grains.GetGrain<IMailboxGrain>(default(AccountId).ToString()));

    /// <summary>The mailbox of an account.</summary>
    public IMailboxGrain For(AccountId account)
    {
        var template = _template.Value;
        return (IMailboxGrain)grains.GetGrain(GrainId.Create(template.GrainId.Type, account.ToString()), template.InterfaceType);
    }
}
