#:property PublishAot=false
#:property EnforceCodeStyleInBuild=false
// Writes the packages of a published program as a CycloneDX bill of materials: dotnet run Sbom.cs PROGRAM.deps.json OUT REVISION
// The same input gives the same bytes: no clock, no random serial number.
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

if (args is not [var input, var output, var revision])
{
    Console.Error.WriteLine("usage: Sbom.cs PROGRAM.deps.json OUT REVISION");
    return 2;
}

using var dependencies = JsonDocument.Parse(File.ReadAllBytes(input));
var libraries = dependencies.RootElement.GetProperty("libraries").EnumerateObject()
    .Select(library => (Id: library.Name.Split('/'), library.Value))
    .Select(library => (Name: library.Id[0], Version: library.Id[1], Type: library.Value.GetProperty("type").GetString(), Hash: library.Value.GetProperty("sha512").GetString()!))
    .OrderBy(library => library.Name, StringComparer.Ordinal)
    .ToList();
var program = libraries.Single(library => library.Name == Path.GetFileName(input)[..^".deps.json".Length]);

using var buffer = new MemoryStream();
using (var json = new Utf8JsonWriter(buffer, new() { Indented = true }))
{
    json.WriteStartObject();
    json.WriteString("bomFormat", "CycloneDX");
    json.WriteString("specVersion", "1.6");
    var digest = SHA256.HashData(Encoding.UTF8.GetBytes(revision + dependencies.RootElement.GetRawText()));
    json.WriteString("serialNumber", $"urn:uuid:{new Guid(digest.AsSpan(0, 16))}");
    json.WriteNumber("version", 1);
    json.WriteStartObject("metadata");
    json.WriteStartObject("component");
    json.WriteString("type", "application");
    json.WriteString("bom-ref", program.Name);
    json.WriteString("name", program.Name);
    json.WriteString("version", program.Version);
    json.WriteStartArray("properties");
    json.WriteStartObject();
    json.WriteString("name", "revision");
    json.WriteString("value", revision);
    json.WriteEndObject();
    json.WriteEndArray();
    json.WriteEndObject();
    json.WriteEndObject();
    json.WriteStartArray("components");
    foreach (var library in libraries.Where(library => library.Type is "package"))
    {
        json.WriteStartObject();
        json.WriteString("type", "library");
        json.WriteString("bom-ref", $"pkg:nuget/{library.Name}@{library.Version}");
        json.WriteString("name", library.Name);
        json.WriteString("version", library.Version);
        json.WriteString("purl", $"pkg:nuget/{library.Name}@{library.Version}");
        if (library.Hash.StartsWith("sha512-", StringComparison.Ordinal))
        {
            json.WriteStartArray("hashes");
            json.WriteStartObject();
            json.WriteString("alg", "SHA-512");
            json.WriteString("content", Convert.ToHexStringLower(Convert.FromBase64String(library.Hash["sha512-".Length..])));
            json.WriteEndObject();
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    json.WriteEndArray();
    json.WriteEndObject();
}

File.WriteAllBytes(output, buffer.ToArray());
return 0;
