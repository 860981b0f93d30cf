namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>The two forms of parameters and replies. One description of the fields serves both (storage-rpc.md, 2 and 17).</summary>
public enum RequestForm : byte
{
    /// <summary>JSON: binary values in base64.</summary>
    Json,

    /// <summary>Bencode: binary values raw, keys sorted, 1 and 0 for true and false.</summary>
    Bencode,
}
