namespace Session.Orleans.Grains;

/// <summary>How grains on the caller's own silo are called.</summary>
public sealed class LocalCallOptions
{
    /// <summary>Configuration section.</summary>
    public const string Section = "LocalCalls";

    /// <summary>
    /// Calls service nodes and mailboxes that are active on the caller's own silo without a message. Off, every call is a message through
    /// the scheduler, also on one silo: for those who want to see what spread grains cost.
    /// </summary>
    public bool Direct { get; set; } = true;
}
