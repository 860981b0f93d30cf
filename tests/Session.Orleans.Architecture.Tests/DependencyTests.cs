using System.Reflection;
using NetArchTest.Rules;

namespace Session.Orleans.Architecture.Tests;

/// <summary>Dependencies point one way. What each project may use stands here; anything else fails.</summary>
public sealed class DependencyTests
{
    private const string Root = "Session.Orleans.";

    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Protocol"] = [],
        ["EmbeddedStore"] = [],
        ["Chain"] = ["Protocol"],
        ["Contracts"] = ["Protocol"],
        ["Storage"] = ["Protocol"],
        ["Storage.S3"] = ["Protocol", "Storage"],
        ["Client"] = ["Protocol"],
        ["Load"] = ["Protocol", "Client"],
        ["Grains"] = ["Protocol", "Chain", "Contracts", "Storage"],
        ["Gateway"] = ["Protocol", "Contracts", "Storage", "Grains"],
        ["Console"] = ["Protocol", "Contracts", "Storage", "Grains", "Gateway"],
        ["Silo"] = ["Protocol", "Contracts", "Storage", "Storage.S3", "Grains", "Gateway", "Console", "EmbeddedStore"],
        ["Testnet"] = ["Protocol", "Contracts", "Storage", "Storage.S3", "Grains", "Gateway", "Console", "EmbeddedStore", "Silo", "Client", "Load"],
    };

    public static TheoryData<string> Projects => [.. Allowed.Keys];

    [Theory, MemberData(nameof(Projects))]
    public void Project_UsesOnlyProjectsBelowIt(string project)
    {
        var used = Load(project).GetReferencedAssemblies().Select(ProjectOf).OfType<string>();
        Assert.Empty(used.Except(Allowed[project]));
    }

    [Fact]
    public void EveryProjectInSrc_HasARule()
    {
        var source = Path.Combine(FindRepository(), "src");
        var projects = Directory.GetDirectories(source).Select(directory => Path.GetFileName(directory)[Root.Length..]).Order();
        Assert.Equal(Allowed.Keys.Order(), projects);
    }

    [Theory]
    [InlineData("Protocol")]
    [InlineData("Chain")]
    [InlineData("Client")]
    [InlineData("Load")]
    [InlineData("Storage")]
    [InlineData("Storage.S3")]
    public void Library_KnowsNoOrleans(string project) => AssertFree(project, "Orleans.Runtime", "Orleans.Grain", "Microsoft.Orleans");

    [Fact]
    public void Protocol_DoesNoInputAndOutput() => AssertFree("Protocol", "System.Net", "System.IO.File", "StackExchange.Redis", "Microsoft.Extensions");

    /// <summary>The same blocks give the same state everywhere: no clock, no chance, no machine.</summary>
    [Fact]
    public void Chain_DependsOnItsBlocksAlone() => AssertFree("Chain",
        "System.Random", "System.Security.Cryptography", "System.DateTime", "System.DateTimeOffset", "System.TimeProvider", "System.Diagnostics.Stopwatch",
        "System.Guid", "System.Environment", "System.Threading", "System.Net", "System.IO", "Microsoft.Extensions");

    [Fact]
    public void Garnet_IsKnownToTheEmbeddedStoreAlone()
    {
        foreach (var project in Allowed.Keys.Except(["EmbeddedStore"]))
            AssertFree(project, "Garnet", "Tsavorite");
    }

    [Fact]
    public void S3Client_IsKnownToItsStoreAlone()
    {
        foreach (var project in Allowed.Keys.Except(["Storage.S3"]))
            AssertFree(project, "Amazon");
    }

    [Fact]
    public void Grains_AreInternalAndSealed()
    {
        var result = Types.InAssembly(Load("Grains")).That().Inherit(typeof(Grain)).Should().NotBePublic().And().BeSealed().GetResult();
        Assert.True(result.IsSuccessful, string.Join(", ", result.FailingTypeNames ?? []));
        Assert.NotEmpty(Types.InAssembly(Load("Grains")).That().Inherit(typeof(Grain)).GetTypes());
    }

    private static void AssertFree(string project, params string[] dependencies)
    {
        var result = Types.InAssembly(Load(project)).ShouldNot().HaveDependencyOnAny(dependencies).GetResult();
        Assert.True(result.IsSuccessful, string.Join(", ", result.FailingTypeNames ?? []));
    }

    private static Assembly Load(string project) => Assembly.Load(project is "Testnet" ? "session-testnet" : Root + project);

    private static string? ProjectOf(AssemblyName assembly) =>
        assembly.Name!.StartsWith(Root, StringComparison.Ordinal) ? assembly.Name[Root.Length..] : null;

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Session.Orleans.sln")))
            directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException("The tests run outside the repository.");
    }
}
