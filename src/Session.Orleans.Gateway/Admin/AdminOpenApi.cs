using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Session.Orleans.Gateway.Admin;

/// <summary>The OpenAPI document of the admin port. Made at the first request for it, so the start does not wait for it.</summary>
internal static class AdminOpenApi
{
    /// <summary>It stands at <c>/openapi/v1.json</c>.</summary>
    public const string DocumentName = "v1";

    private const string Bearer = "adminToken";

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new()
            {
                Title = "Session.Orleans admin API",
                Version = DocumentName,
                Description = "Looks at a private Session network and makes things go wrong in it. Every error is an application/problem+json whose 'detail' is a sentence for people.",
            };
            document.Components ??= new();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            document.Components.SecuritySchemes[Bearer] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                Description = "The text of the file admin.token in the network's data folder.",
            };
            foreach (var (path, item) in document.Paths)
            {
                if (!path.StartsWith("/v1", StringComparison.Ordinal))
                    continue;
                foreach (var operation in item.Operations ?? [])
                    operation.Value.Security = [new() { [new OpenApiSecuritySchemeReference(Bearer, document)] = [] }];
            }

            return Task.CompletedTask;
        });
    }
}
