using System.Globalization;

namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>One namespace, or all of them: <c>delete_all</c>, <c>delete_before</c> and <c>expire_all</c> take either.</summary>
public readonly record struct NamespaceSelector
{
    private NamespaceSelector(short value, bool isAll) => (Namespace, IsAll) = (value, isAll);

    /// <summary>Every namespace of the account.</summary>
    public static NamespaceSelector All { get; } = new(0, true);

    /// <summary>The namespace; 0 when <see cref="IsAll"/>.</summary>
    public short Namespace { get; }

    /// <summary>True for all namespaces.</summary>
    public bool IsAll { get; }

    /// <summary>One namespace.</summary>
    public static NamespaceSelector Of(short @namespace) => new(@namespace, false);

    /// <summary>True if <paramref name="namespace"/> is meant.</summary>
    public bool Includes(short @namespace) => IsAll || Namespace == @namespace;

    /// <summary><c>all</c> or the number.</summary>
    public override string ToString() => IsAll ? "all" : Namespace.ToString(CultureInfo.InvariantCulture);
}
