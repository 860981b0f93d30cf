using System.Text;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Gateway.Omq;

/// <summary>What a command asks for.</summary>
internal enum OmqCommandKind
{
    /// <summary>Nothing we know.</summary>
    Unknown,

    /// <summary><c>HI</c>: the client wants to know whether somebody is there.</summary>
    Greeting,

    /// <summary>Answers to requests that a server never makes, and farewells.</summary>
    Ignored,

    /// <summary><c>sn.ping</c>.</summary>
    Ping,

    /// <summary>Between nodes, which are virtual here: no client may use it.</summary>
    ForNodes,

    /// <summary><c>monitor.messages</c>.</summary>
    Monitor,

    /// <summary><c>storage.</c> and a method.</summary>
    Storage,
}

/// <summary>The commands of a storage server.</summary>
internal static class OmqCommand
{
    private static ReadOnlySpan<byte> StoragePrefix => "storage."u8;

    /// <summary>What the command is.</summary>
    public static OmqCommandKind Find(ReadOnlySpan<byte> command)
    {
        if (command.StartsWith(StoragePrefix))
            return StorageRequest.IsMethod(command[StoragePrefix.Length..]) ? OmqCommandKind.Storage : OmqCommandKind.Unknown;
        if (command.SequenceEqual("monitor.messages"u8))
            return OmqCommandKind.Monitor;
        if (command.SequenceEqual("HI"u8))
            return OmqCommandKind.Greeting;
        if (command.SequenceEqual("sn.ping"u8))
            return OmqCommandKind.Ping;
        return Encoding.ASCII.GetString(command) switch
        {
            "REPLY" or "HELLO" or "BYE" or "FORBIDDEN" or "FORBIDDEN_SN" or "NOT_A_SERVICE_NODE" or "UNKNOWNCOMMAND" or "NO_REPLY_TAG" =>
                OmqCommandKind.Ignored,
            "sn.data" or "sn.storage_test" or "sn.onion_request" or "sn.storage_cc" => OmqCommandKind.ForNodes,
            _ => OmqCommandKind.Unknown,
        };
    }

    /// <summary>The method of a storage command.</summary>
    public static string StorageMethod(ReadOnlySpan<byte> command) => Encoding.ASCII.GetString(command[StoragePrefix.Length..]);
}
