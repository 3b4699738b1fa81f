using System.Security.Cryptography;
using NUnit.Framework;

namespace LoraKernels.Tests.Bindings;

[TestFixture]
internal sealed class GeneratedSourcesTests
{
    private static readonly string Generated =
        Path.Combine(Repository.BindingsFolder, "LoraKernels.Interop", "Generated");

    [Test]
    public void The_bindings_were_generated_from_these_very_sources()
    {
        // sha256sum's format: the hash, two spaces, the path as seen from the bindings' folder.
        List<(string Hash, string Path)> stamps =
        [
            .. File.ReadAllLines(Path.Combine(Generated, "sources.sha256"))
                .Select(line => line.Split("  "))
                .Select(parts => (parts[0], Path.GetFullPath(parts[1], Repository.BindingsFolder))),
        ];

        Assert.That(
            stamps.Select(stamp => stamp.Path),
            Is.EquivalentTo(new[]
            {
                Repository.HeaderPath,
                Path.Combine(Repository.BindingsFolder, "generate.rsp"),
                Path.Combine(Repository.BindingsFolder, "generated-header.txt"),
            }));
        using (Assert.EnterMultipleScope())
        {
            foreach ((string hash, string path) in stamps)
            {
                Assert.That(
                    Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path))),
                    Is.EqualTo(hash),
                    $"{path} changed since the bindings were generated: run bindings/regenerate.");
            }
        }
    }

    [Test]
    public void Every_generated_file_says_that_it_is()
    {
        string notice = File.ReadAllText(Path.Combine(Repository.BindingsFolder, "generated-header.txt")).TrimEnd();
        string[] files = Directory.GetFiles(Generated, "*.cs");

        Assert.That(files, Is.Not.Empty);
        Assert.That(
            files.Where(file => !File.ReadAllText(file).StartsWith(notice, StringComparison.Ordinal)),
            Is.Empty);
    }
}
