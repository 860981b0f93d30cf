using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.Repositories;
using StackExchange.Redis;

namespace Session.Orleans.ConsolePage.Hosting;

/// <summary>
/// Keeps the keys of ASP.NET Core's data protection in the store, so that every process of the cluster accepts the login that another gave: the
/// admin port may lead to any of them.
/// </summary>
internal sealed class KeyRing(IConnectionMultiplexer connection) : IXmlRepository
{
    private const string Key = "session-orleans/console/keys";

    public IReadOnlyCollection<XElement> GetAllElements() =>
        [.. connection.GetDatabase().HashValues(Key).Select(value => XElement.Parse(value.ToString()))];

    public void StoreElement(XElement element, string friendlyName)
    {
        ArgumentNullException.ThrowIfNull(element);
        connection.GetDatabase().HashSet(Key, friendlyName, element.ToString(SaveOptions.DisableFormatting));
    }
}
