using System.Reflection;
using NUnit.Framework;

namespace LoraKernels.BridgeTests;

/// <summary>What the READMEs show is what is compiled here.</summary>
public sealed class ReadmeTests
{
    [TestCase("LoraKernels.ILGPU", "IlgpuSample.cs")]
    [TestCase("LoraKernels.ManagedCuda", "ManagedCudaSample.cs")]
    public void ProgramIsTheSample(string project, string sample)
    {
        const string Fence = "```csharp\n";
        string readme = Read("managed", project, "README.md");
        int begin = readme.IndexOf(Fence, StringComparison.Ordinal) + Fence.Length;
        string program = readme[begin..readme.IndexOf("```", begin, StringComparison.Ordinal)];

        Assert.That(program, Is.Not.Empty);
        Assert.That(Unindented(Read("tests", "bridges", sample)), Does.Contain(Unindented(program)));
    }

    private static string Unindented(string text) => string.Join('\n', text.Split('\n').Select(line => line.Trim()));

    private static string Read(params string[] path)
    {
        string root = typeof(ReadmeTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "RepositoryRoot").Value!;
        return File.ReadAllText(Path.Combine([root, .. path])).ReplaceLineEndings("\n");
    }
}
