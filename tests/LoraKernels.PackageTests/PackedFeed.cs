using System.Globalization;
using System.IO.Compression;
using System.Reflection;
using System.Xml.Linq;
using NUnit.Framework;

namespace LoraKernels.PackageTests;

/// <summary>
/// Packs what the build has made into a feed of its own, in a temporary folder, under a version of its own.
/// </summary>
[SetUpFixture]
public sealed class PackedFeed
{
    private static readonly string[] _projects =
    [
        "native/LoraKernels.Native.csproj",
        "managed/LoraKernels/LoraKernels.csproj",
        "managed/LoraKernels.Checkpoints/LoraKernels.Checkpoints.csproj",
        "managed/LoraKernels.Serving/LoraKernels.Serving.csproj",
        "managed/LoraKernels.Cli/LoraKernels.Cli.csproj",
    ];

    /// <summary>The repository that the tests were built from, with a slash at the end.</summary>
    public static string RepositoryRoot { get; } = Metadata(nameof(RepositoryRoot));

    /// <summary>A version that no cache can know.</summary>
    public static string Version { get; } = string.Create(
        CultureInfo.InvariantCulture, $"0.0.0-test.{DateTime.UtcNow:yyyyMMddHHmmss}.{Environment.ProcessId}");

    /// <summary>A temporary folder, outside of the repository, that is gone after the tests.</summary>
    public static string Scratch { get; } = Directory.CreateTempSubdirectory("lorakernels-packages-").FullName;

    private static string Folder => Path.Combine(Scratch, "feed");

    /// <summary>Packs, without building anything again: the packages hold what the other tests ran.</summary>
    [OneTimeSetUp]
    public void Pack()
    {
        foreach (string project in _projects)
        {
            DotnetCommand.Run(
                RepositoryRoot,
                "pack", project, "--no-build", "-c", Metadata("Configuration"), "-o", Folder,
                $"-p:PackageVersion={Version}", $"-p:NuspecOutputPath={Path.Combine(Scratch, "nuspec")}");
        }

        File.WriteAllText(Path.Combine(Scratch, "NuGet.config"), NuGetConfig());
    }

    /// <summary>Removes the temporary folder.</summary>
    [OneTimeTearDown]
    public void Remove() => Directory.Delete(Scratch, recursive: true);

    /// <summary>Opens a package of the feed.</summary>
    /// <param name="id">The package's id.</param>
    /// <param name="extension"><c>nupkg</c>, <c>snupkg</c> or <c>symbols.nupkg</c>.</param>
    public static ZipArchive Open(string id, string extension = "nupkg") =>
        ZipFile.OpenRead(Path.Combine(Folder, $"{id}.{Version}.{extension}"));

    // The feed is asked before the machine's own feeds. Our packages go to a folder of their own; others are taken
    // from where the build of the repository has put them.
    private static string NuGetConfig()
    {
        string cache = DotnetCommand.Run(RepositoryRoot, "nuget", "locals", "global-packages", "--list");
        cache = cache[(cache.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        return new XElement(
            "configuration",
            new XElement("config", Add("globalPackagesFolder", Path.Combine(Scratch, "packages"))),
            new XElement("packageSources", Add("packed", Folder)),
            new XElement("fallbackPackageFolders", Add("cache", cache))).ToString();
    }

    private static XElement Add(string key, string value) =>
        new("add", new XAttribute("key", key), new XAttribute("value", value));

    private static string Metadata(string key) =>
        typeof(PackedFeed).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == key).Value!;
}
