using System.Collections.Frozen;
using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Session.Orleans.ConsolePage.Hosting;

/// <summary>
/// Scripts and styles, out of the assembly: nothing comes from another server, and nothing is looked for on disk. Their addresses have their hash
/// in them, so that browsers keep them until they change.
/// </summary>
internal sealed class ConsoleAssets
{
    /// <summary>Path below the page's under which they are.</summary>
    public const string Prefix = "/assets";

    private static readonly (string Name, string Type)[] Names =
    [
        ("MudBlazor.min.css", "text/css"), ("console.css", "text/css"),
        ("MudBlazor.min.js", "text/javascript"), ("blazor.web.js", "text/javascript"), ("console.js", "text/javascript"), ("favicon.svg", "image/svg+xml"),
    ];

    private readonly FrozenDictionary<string, Lazy<Asset>> _assets = Names.ToFrozenDictionary(
        asset => asset.Name, asset => new Lazy<Asset>(() => Load(asset.Name, asset.Type)), StringComparer.Ordinal);

    /// <summary>Address of an asset, relative to the page's.</summary>
    public string Address(string name) => $"{Prefix[1..]}/{name}?v={_assets[name].Value.Version}";

    /// <summary>Answers a request for one.</summary>
    /// <returns>False if there is none of that name.</returns>
    public async Task<bool> TryServeAsync(HttpContext context, string name)
    {
        if (!_assets.TryGetValue(name, out var entry))
            return false;
        var asset = entry.Value;
        var (request, response) = (context.Request, context.Response);
        response.Headers.ContentType = asset.Type;
        response.Headers.CacheControl = "public, max-age=31536000, immutable";
        response.Headers.Vary = HeaderNames.AcceptEncoding;
        var compressed = request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase);
        if (compressed)
            response.Headers.ContentEncoding = "gzip";
        var body = compressed ? asset.Compressed : asset.Plain;
        response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(request.Method))
            await response.BodyWriter.WriteAsync(body, context.RequestAborted);
        return true;
    }

    private static Asset Load(string name, string type)
    {
        using var stream = typeof(ConsoleAssets).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The asset {name} is not in the assembly.");
        var plain = new byte[stream.Length];
        stream.ReadExactly(plain);
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
            gzip.Write(plain);
        return new(type, Convert.ToHexStringLower(SHA256.HashData(plain).AsSpan(0, 8)), plain, compressed.ToArray());
    }

    private sealed record Asset(string Type, string Version, byte[] Plain, byte[] Compressed);
}
