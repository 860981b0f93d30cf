using System.Globalization;
using System.Net.Http.Headers;
using Session.Orleans.Contracts.Communities;
using Session.Orleans.Storage.Blobs;

namespace Session.Orleans.Gateway.Communities;

/// <summary>Files of rooms (communities.md, 8).</summary>
internal sealed partial class CommunityServer
{
    private async ValueTask<CommunityResponse> UploadAsync(
        CommunityRequest request, CommunityCaller caller, IRoomGrain room, CancellationToken cancellationToken)
    {
        if (await room.CheckUploadAsync(caller) is { } refusal)
            return refusal;
        if (request.Body.Length > options.Value.FileBytes)
            return CommunityResponse.Text(413, "The file is too large");
        if (request.Body.IsEmpty)
            throw new CommunityRequestException("The file is empty");
        var id = await files.NextIdAsync(cancellationToken);
        // The bytes come first: a file that a room knows is there.
        var blob = await files.PutAsync(request.Body, cancellationToken);
        return await room.AddFileAsync(caller, new(id, request.Body.Length, FileName(request.Headers("Content-Disposition")), 0, null, blob));
    }

    private async ValueTask<CommunityResponse> DownloadAsync(IRoomGrain room, CommunityCaller caller, string token, long id, CancellationToken cancellationToken)
    {
        var reply = await room.GetFileAsync(caller, id);
        if (reply.File is not { } file)
            return reply.Refusal!;
        var bytes = new byte[file.Size];
        var read = 0;
        try
        {
            await foreach (var piece in files.ReadAsync(token, file, cancellationToken))
            {
                piece.CopyTo(bytes.AsMemory(read));
                read += piece.Length;
            }
        }
        catch (BlobMissingException)
        {
            return CommunityReply.NotFound; // it has ended between the two questions
        }

        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase)
        {
            ["Content-Disposition"] = file.Name is null ? "attachment" : "attachment; filename*=UTF-8''" + Uri.EscapeDataString(file.Name),
            ["Date"] = HttpDate(file.Uploaded),
        };
        if (file.Expiry is { } expiry)
            headers["Expires"] = HttpDate(expiry);
        return new(200, CommunityResponse.BinaryType, bytes, headers);
    }

    private static string HttpDate(double seconds) =>
        DateTimeOffset.FromUnixTimeMilliseconds((long)(seconds * 1000)).ToString("r", CultureInfo.InvariantCulture);

    /// <summary>The name in a <c>Content-Disposition</c>; null if there is none. What would be a path or an end is replaced.</summary>
    internal static string? FileName(string? header)
    {
        if (string.IsNullOrEmpty(header) || !ContentDispositionHeaderValue.TryParse(Encode(header), out var disposition))
            return null;
        var name = disposition.FileNameStar ?? disposition.FileName?.Trim('"');
        return string.IsNullOrEmpty(name) ? null : name.Replace('\0', '\uFFFD').Replace('/', '\uFFFD');

        // Bare words with a name, as some clients send, are no valid header without a type.
        static string Encode(string text) => text.StartsWith("filename", StringComparison.OrdinalIgnoreCase) ? "attachment; " + text : text;
    }
}
