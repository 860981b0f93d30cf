using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Session.Orleans.Grains.Network;

/// <summary>
/// The chain daemon's <c>get_service_nodes</c>, asked by clients of the seed node and, through <c>oxend_request</c>, of any service node
/// (network.md, 1 and 2).
/// </summary>
public sealed class ServiceNodeList
{
    // requested_unlock_height and the like are always written when asked for: a client refuses the whole list for one missing number.
    private static readonly (string Name, Action<Utf8JsonWriter, ServiceNode, NetworkView> Write)[] NodeFields =
    [
        ("service_node_pubkey", (json, node, _) => json.WriteStringValue(node.PublicKey.ToString())),
        ("pubkey_ed25519", (json, node, _) => json.WriteStringValue(node.PublicKey.ToString())),
        ("pubkey_x25519", (json, node, _) => json.WriteStringValue(node.Keys.X25519.PublicKey.ToString())),
        ("public_ip", (json, node, _) => json.WriteStringValue(node.IpAddress)),
        ("storage_port", (json, node, _) => json.WriteNumberValue(node.HttpsPort)),
        ("storage_lmq_port", (json, node, _) => json.WriteNumberValue(node.OmqPort)),
        ("swarm_id", (json, node, _) => json.WriteNumberValue(node.SwarmId.Value)),
        ("swarm", (json, node, _) => json.WriteStringValue(node.SwarmId.ToString())),
        ("funded", (json, node, _) => json.WriteBooleanValue(node.Record.IsFunded)),
        ("active", (json, node, _) => json.WriteBooleanValue(node.IsActive)),
        ("registration_height", (json, node, _) => json.WriteNumberValue(node.Record.RegistrationHeight)),
        ("state_height", (json, node, _) => json.WriteNumberValue(node.Record.StateHeight)),
        ("requested_unlock_height", (json, node, view) => json.WriteNumberValue(view.LifeOf(node).RequestedUnlockHeight)),
        ("decommission_count", (json, node, view) => json.WriteNumberValue(view.LifeOf(node).DecommissionCount)),
        ("earned_downtime_blocks", (json, node, view) => json.WriteNumberValue(view.LifeOf(node).EarnedDowntimeBlocks)),
        ("last_reward_block_height", (json, node, view) => json.WriteNumberValue(view.LifeOf(node).LastRewardHeight)),
        ("last_reward_transaction_index", (json, node, view) => json.WriteNumberValue(view.LifeOf(node).LastRewardIndex)),
        ("last_decommission_reason_consensus_all", (json, node, view) => json.WriteNumberValue(view.LifeOf(node).ReasonsAll)),
        ("last_decommission_reason_consensus_any", (json, node, view) => json.WriteNumberValue(view.LifeOf(node).ReasonsAny)),
        ("last_uptime_proof", (json, node, view) => json.WriteNumberValue(view.UnixSecondsOf(view.LifeOf(node).LastProofHeight))),
        ("total_contributed", (json, node, view) => json.WriteNumberValue(view.LifeOf(node).TotalContributed)),
        ("storage_server_version", (json, _, _) => WriteVersion(json, 2, 8, 0)),
        ("storage_server_reachable", (json, node, view) => json.WriteBooleanValue(view.LifeOf(node).FailingSince is null)),
        ("storage_server_first_unreachable", (json, node, view) => json.WriteNumberValue(view.UnixSecondsOf(view.LifeOf(node).FailingSince))),
    ];

    private static readonly (string Name, Action<Utf8JsonWriter, NetworkView> Write)[] NetworkFields =
    [
        ("height", (json, view) => json.WriteNumberValue(view.Height)),
        ("target_height", (json, view) => json.WriteNumberValue(view.Height)),
        ("block_hash", (json, view) => json.WriteStringValue(view.BlockHash)),
        ("hardfork", (json, view) => json.WriteNumberValue(view.State.HardForkMajor)),
        ("snode_revision", (json, view) => json.WriteNumberValue(view.State.HardForkRevision)),
    ];

    private readonly HashSet<string>? _fields;
    private readonly HashSet<string> _without = [];
    private readonly HashSet<string>? _keys;
    private readonly string? _pollBlockHash;
    private readonly bool _activeOnly;
    private readonly long _limit;

    private ServiceNodeList(JsonElement parameters)
    {
        if (parameters.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            return;
        if (parameters.ValueKind is not JsonValueKind.Object)
            throw new FormatException();

        if (TryGet(parameters, "fields", out var fields))
        {
            var names = fields.ValueKind switch
            {
                JsonValueKind.Array => fields.EnumerateArray().Select(Text).ToList(),
                JsonValueKind.Object => fields.EnumerateObject().Where(field => Flag(field.Value)).Select(field => field.Name).ToList(),
                _ => throw new FormatException(),
            };
            _without = [.. names.Where(name => name.StartsWith('-')).Select(name => name[1..])];
            if (names.Count > 0 && !names.Contains("all"))
                _fields = [.. names];
        }

        if (TryGet(parameters, "service_node_pubkeys", out var keys))
            _keys = [.. (keys.ValueKind is JsonValueKind.Array ? keys : throw new FormatException()).EnumerateArray().Select(Text)];
        if (TryGet(parameters, "active_only", out var activeOnly))
            _activeOnly = Flag(activeOnly);
        if (TryGet(parameters, "limit", out var limit))
            _limit = limit.ValueKind is JsonValueKind.Number && limit.TryGetInt64(out var number) ? number : throw new FormatException();
        if (TryGet(parameters, "poll_block_hash", out var hash))
            _pollBlockHash = Text(hash);
    }

    /// <summary>Parses the call's parameters; false if one has the wrong type.</summary>
    public static bool TryParse(JsonElement parameters, [NotNullWhen(true)] out ServiceNodeList? list)
    {
        try
        {
            list = new(parameters);
            return true;
        }
        catch (FormatException)
        {
            list = null;
            return false;
        }
    }

    /// <summary>Writes the result object.</summary>
    public void Write(Utf8JsonWriter json, NetworkView view)
    {
        json.WriteStartObject();
        foreach (var (name, write) in NetworkFields)
        {
            if (Wants(name) || (name is "block_hash" && _pollBlockHash is not null))
            {
                json.WritePropertyName(name);
                write(json, view);
            }
        }

        var unchanged = _pollBlockHash == view.BlockHash;
        if (_pollBlockHash is not null)
            json.WriteBoolean("unchanged", unchanged);
        if (!unchanged)
        {
            json.WriteStartArray("service_node_states");
            foreach (var node in Select(view))
                WriteNode(json, node, view);
            json.WriteEndArray();
        }

        json.WriteString("status", "OK");
        json.WriteEndObject();
    }

    private IEnumerable<ServiceNode> Select(NetworkView view)
    {
        var nodes = view.Nodes.Where(node => (!_activeOnly || node.IsActive) && _keys?.Contains(node.PublicKey.ToString()) is not false);
        if (_limit == 0)
            return nodes;
        var shuffled = nodes.ToArray();
        Random.Shared.Shuffle(shuffled);
        return _limit < 0 ? shuffled : shuffled.Take((int)Math.Min(_limit, shuffled.Length));
    }

    private void WriteNode(Utf8JsonWriter json, ServiceNode node, NetworkView view)
    {
        json.WriteStartObject();
        foreach (var (name, write) in NodeFields)
        {
            if (Wants(name))
            {
                json.WritePropertyName(name);
                write(json, node, view);
            }
        }

        json.WriteEndObject();
    }

    private bool Wants(string field) => _fields?.Contains(field) is not false && !_without.Contains(field);

    private static bool TryGet(JsonElement parameters, string name, out JsonElement value) =>
        parameters.TryGetProperty(name, out value) && value.ValueKind is not JsonValueKind.Null;

    private static string Text(JsonElement element) =>
        element.ValueKind is JsonValueKind.String ? element.GetString()! : throw new FormatException();

    private static bool Flag(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw new FormatException(),
    };

    private static void WriteVersion(Utf8JsonWriter json, int major, int minor, int patch)
    {
        json.WriteStartArray();
        json.WriteNumberValue(major);
        json.WriteNumberValue(minor);
        json.WriteNumberValue(patch);
        json.WriteEndArray();
    }
}
