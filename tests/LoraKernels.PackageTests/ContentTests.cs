using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Xml.Linq;
using NUnit.Framework;

namespace LoraKernels.PackageTests;

/// <summary>What is in the packages, and what is not.</summary>
public sealed class ContentTests
{
    private const string NativeId = "LoraKernels.Native.linux-x64";
    private const string NativeFolder = "runtimes/linux-x64/native";

    private static readonly string[] _systemLibraries =
        ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2"];

    private static readonly (string Id, string Extension, string[] Files)[] _packages =
    [
        ("LoraKernels", "nupkg",
            ["LICENSE", "README.md", "lib/net10.0/LoraKernels.dll", "lib/net10.0/LoraKernels.xml",
                "lib/net10.0/LoraKernels.Interop.dll", "lib/net10.0/LoraKernels.Interop.xml"]),
        ("LoraKernels", "snupkg", ["lib/net10.0/LoraKernels.pdb", "lib/net10.0/LoraKernels.Interop.pdb"]),
        ("LoraKernels.Checkpoints", "nupkg",
            ["LICENSE", "README.md", "lib/net10.0/LoraKernels.Checkpoints.dll",
                "lib/net10.0/LoraKernels.Checkpoints.xml"]),
        ("LoraKernels.Checkpoints", "snupkg", ["lib/net10.0/LoraKernels.Checkpoints.pdb"]),
        ("LoraKernels.Serving", "nupkg",
            ["LICENSE", "README.md", "lib/net10.0/LoraKernels.Serving.dll", "lib/net10.0/LoraKernels.Serving.xml"]),
        ("LoraKernels.Serving", "snupkg", ["lib/net10.0/LoraKernels.Serving.pdb"]),
        (NativeId, "nupkg", ["LICENSE", "README.md", $"{NativeFolder}/liblorakernels.so"]),
        (NativeId, "symbols.nupkg",
            ["LICENSE", "README.md", $"{NativeFolder}/liblorakernels.so",
                $"{NativeFolder}/net10.0/liblorakernels.so.debug"]),
    ];

    private static IEnumerable<TestCaseData> Packages =>
        _packages.Select(package => new TestCaseData(package.Id, package.Extension, package.Files)
            .SetArgDisplayNames(package.Id, package.Extension));

    private static IEnumerable<TestCaseData> AllPackages =>
        Packages.Append(new TestCaseData("LoraKernels.Cli", "nupkg", Array.Empty<string>())
            .SetArgDisplayNames("LoraKernels.Cli", "nupkg"));

    /// <summary>A package holds its files, all of them, and no others.</summary>
    [TestCaseSource(nameof(Packages))]
    public void HoldsItsFilesAndNoOthers(string id, string extension, string[] files)
    {
        using var package = PackedFeed.Open(id, extension);

        var found = package.Entries.Select(entry => entry.FullName).Where(name => !IsPartOfTheContainer(name));

        Assert.That(found, Is.EquivalentTo(files));
    }

    /// <summary>
    /// Licence, readme, description, and the packages that it needs, in the version that it was made with.
    /// </summary>
    [TestCase("LoraKernels", NativeId, "System.Numerics.Tensors")]
    [TestCase("LoraKernels.Checkpoints", "LoraKernels", "System.Numerics.Tensors")]
    [TestCase(
        "LoraKernels.Serving", "LoraKernels.Checkpoints", "Microsoft.Extensions.Logging.Abstractions",
        "System.Numerics.Tensors")]
    [TestCase(NativeId)]
    [TestCase("LoraKernels.Cli")]
    public void SaysWhatItIsAndWhatItNeeds(string id, params string[] dependencies)
    {
        using var package = PackedFeed.Open(id);
        var nuspec = XDocument.Load(package.GetEntry($"{id}.nuspec")!.Open());
        XElement Element(string name) => nuspec.Descendants().Single(element => element.Name.LocalName == name);
        var found = nuspec.Descendants().Where(element => element.Name.LocalName == "dependency")
            .ToDictionary(element => element.Attribute("id")!.Value, element => element.Attribute("version")!.Value);

        using (Assert.EnterMultipleScope())
        {
            Assert.That(Element("license").Value, Is.EqualTo("Apache-2.0"));
            Assert.That(Element("readme").Value, Is.EqualTo("README.md"));
            Assert.That(Element("description").Value, Does.EndWith("."));
            Assert.That(found.Keys, Is.EquivalentTo(dependencies));
            foreach (var (dependency, version) in found)
            {
                if (dependency.StartsWith("LoraKernels", StringComparison.Ordinal))
                    Assert.That(version, Is.EqualTo(PackedFeed.Version), dependency);
            }
        }
    }

    /// <summary>Nothing in a package tells where it was built.</summary>
    [TestCaseSource(nameof(AllPackages))]
    public void HoldsNoPathOfTheBuild(string id, string extension, string[] files)
    {
        using var package = PackedFeed.Open(id, extension);
        string root = PackedFeed.RepositoryRoot.TrimEnd('/');
        byte[] narrow = Encoding.UTF8.GetBytes(root);
        byte[] wide = Encoding.Unicode.GetBytes(root);

        foreach (var entry in package.Entries)
        {
            byte[] content = Read(entry);
            Assert.That(content.AsSpan().IndexOf(narrow), Is.Negative, $"{entry.FullName}, UTF-8");
            Assert.That(content.AsSpan().IndexOf(wide), Is.Negative, $"{entry.FullName}, UTF-16");
            if (entry.FullName.EndsWith(".pdb", StringComparison.Ordinal))
                Assert.That(Documents(content), Is.Not.Empty.And.All.StartsWith("/_"), entry.FullName);
        }
    }

    /// <summary>The native library looks for others beside itself, and needs none that a bare system lacks.</summary>
    [Test]
    public void TheNativeLibraryNeedsOnlyTheSystem()
    {
        using var package = PackedFeed.Open(NativeId);
        string library = Path.Combine(PackedFeed.Scratch, "liblorakernels.so");
        package.GetEntry($"{NativeFolder}/liblorakernels.so")!.ExtractToFile(library, overwrite: true);

        string dynamic = DotnetCommand.RunProgram("readelf", PackedFeed.Scratch, "--dynamic", "--wide", library);
        string[] needed = [.. dynamic.Split('\n').Where(line => line.Contains("(NEEDED)", StringComparison.Ordinal))
            .Select(line => line.Split('[', ']')[1])];

        using (Assert.EnterMultipleScope())
        {
            Assert.That(dynamic, Does.Contain("(RUNPATH)").And.Contain("[$ORIGIN]"));
            Assert.That(needed, Is.Not.Empty.And.SubsetOf(_systemLibraries));
        }
    }

    private static bool IsPartOfTheContainer(string name) =>
        name.EndsWith(".nuspec", StringComparison.Ordinal)
        || name.StartsWith("_rels/", StringComparison.Ordinal)
        || name.StartsWith("package/", StringComparison.Ordinal)
        || name == "[Content_Types].xml";

    private static byte[] Read(ZipArchiveEntry entry)
    {
        using var content = new MemoryStream();
        using var stream = entry.Open();
        stream.CopyTo(content);
        return content.ToArray();
    }

    private static string[] Documents(byte[] pdb)
    {
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(pdb));
        var reader = provider.GetMetadataReader();
        return [.. reader.Documents.Select(handle => reader.GetString(reader.GetDocument(handle).Name))];
    }
}
