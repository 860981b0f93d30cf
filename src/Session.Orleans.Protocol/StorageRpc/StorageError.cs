namespace Session.Orleans.Protocol.StorageRpc;

/// <summary>A refused request: the status and the bare text that is its body (storage-rpc.md, 1).</summary>
/// <param name="Status">HTTP status: 400, 401, 403, 404, 406, 500 or 502.</param>
/// <param name="Text">Body, <c>text/plain</c>, exactly as sent.</param>
public readonly record struct StorageError(int Status, string Text)
{
    /// <summary>The body is not JSON, nested deeper than <see cref="StorageLimits.MaxJsonDepth"/>, or not UTF-8.</summary>
    public static StorageError InvalidJson { get; } = new(400, "invalid json");

    /// <summary>The body is no object, or <c>method</c> is missing or no string.</summary>
    public static StorageError NoMethodField { get; } = new(400, "invalid json: no `method` field");

    /// <summary><c>params</c> is missing or no object.</summary>
    public static StorageError NoParamsField { get; } = new(400, "invalid json: no `params` field");

    /// <summary>A message's parameters are neither JSON nor a bencoded dictionary (section 17).</summary>
    public static StorageError InvalidMessage { get; } = new(400, "invalid body: expected json or bt_dict");

    /// <summary>The method's name is unknown.</summary>
    public static StorageError NoSuchMethod(string name) => new(400, "no method " + name);

    /// <summary>A parameter is missing or malformed.</summary>
    public static StorageError InvalidRequest(string text) => new(400, "invalid request: " + text);
}
