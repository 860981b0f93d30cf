using System.Text;
using System.Text.Json;
using Session.Orleans.Load.Network;
using Session.Orleans.Load.Results;
using Session.Orleans.Protocol.Names;
using Session.Orleans.Protocol.StorageRpc;

namespace Session.Orleans.Load.Users;

/// <summary>A name and who has it.</summary>
/// <param name="Text">The name.</param>
/// <param name="Owner">The user whose Session ID it stands for.</param>
internal sealed record LoadName(string Text, VirtualUser Owner);

/// <summary>How users look up names, as clients do it (names.md, 7). Safe for concurrent use.</summary>
/// <param name="requests">Carries their requests.</param>
/// <param name="recorder">Knows every time.</param>
/// <param name="clock">The run's clock.</param>
internal sealed class NameActions(UserRequests requests, Recorder recorder, RunClock clock)
{
    /// <summary>Class of the failure of a message whose name was not resolved.</summary>
    public const string NotResolved = "name not resolved";

    private const int Witnesses = 3;
    private const string Unknown = "unknown name", Wrong = "wrong account";

    /// <summary>Asks three nodes, who must all know that the name is its owner's.</summary>
    public async Task<Outcome> ResolveAsync(VirtualUser user, LoadName name, CancellationToken cancellationToken)
    {
        var start = clock.Now;
        var request = StorageRequestWriter.ToArray(new BatchRequest
        {
            Requests =
            [
                new OxendRequest
                {
                    Endpoint = OxendRequest.OnsResolve,
                    ParametersJson = Encoding.ASCII.GetBytes($$"""{"type":{{(int)NameType.Session}},"name_hash":"{{NameHash.Of(name.Text)}}"}"""),
                },
            ],
        });
        var taken = new HashSet<LoadNode>();
        var answers = await Task.WhenAll(Enumerable.Range(0, Witnesses).Select(
            _ => requests.AskAnyNodeAsync(user, request, taken, (body, _) => Check(name, body), cancellationToken))).ConfigureAwait(false);
        var worst = answers.FirstOrDefault(answer => answer.Error is not null, answers[0]);
        recorder.Done(Operation.Resolve, start, clock.Now, worst.Error, worst.Trace);
        return worst;
    }

    /// <summary>Reads the answer of a node; null if it says that the name is its owner's.</summary>
    internal static string? Check(LoadName name, ReadOnlyMemory<byte> body)
    {
        var results = new BatchAnswer[1];
        if (!StorageAnswers.TryReadBatch(body, results))
            return ErrorClass.Unreadable;
        if (results[0].Status != 200)
            return ErrorClass.Status(results[0].Status);
        try
        {
            using var json = JsonDocument.Parse(results[0].Body);
            if (json.RootElement.ValueKind is not JsonValueKind.Object || !json.RootElement.TryGetProperty("result", out var result) || result.ValueKind is not JsonValueKind.Object)
                return ErrorClass.Unreadable;
            if (!result.TryGetProperty("encrypted_value", out var value))
                return Unknown;
            if (value.ValueKind is not JsonValueKind.String)
                return ErrorClass.Unreadable;
            var nonce = result.TryGetProperty("nonce", out var given) && given.ValueKind is JsonValueKind.String ? given.GetString() : "";
            return !NameCipher.TryDecryptSession(name.Text, Convert.FromHexString(value.GetString() + nonce), out var account) ? ErrorClass.Unreadable
                : account == name.Owner.Keys.SessionId ? null : Wrong;
        }
        catch (Exception exception) when (exception is JsonException or FormatException or InvalidOperationException)
        {
            return ErrorClass.Unreadable;
        }
    }
}
