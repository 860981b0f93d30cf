using System.ComponentModel.DataAnnotations;

namespace Session.Orleans.Grains.Names;

/// <summary>Options of the name registry, section <c>Names</c>.</summary>
public sealed class NameOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "Names";

    /// <summary>Purchases an owner may make within 24 hours; 0 for any number.</summary>
    [Range(0, int.MaxValue, ErrorMessage = "Names:PurchasesPerDay must not be negative.")]
    public int PurchasesPerDay { get; set; } = 10;

    /// <summary>
    /// What a purchase or renewal costs, in coins; 0 for nothing. The operator's account pays, which the rewards of the nodes go to, so there
    /// is something to pay with after the first block.
    /// </summary>
    [Range(0, 1_000_000, ErrorMessage = "Names:Fee must be between 0 and 1000000 coins.")]
    public double Fee { get; set; }

    /// <summary>True for a test network's terms of domains, 720 blocks instead of a year; false for the real ones.</summary>
    public bool ShortTerms { get; set; } = true;
}
