using NUnit.Framework;

namespace LoraKernels.PackageTests;

/// <summary>Uses the packages as somebody does who has nothing but them.</summary>
public sealed class ConsumptionTests
{
    /// <summary>A program with package references computes on the CPU; the README's lines compile beside it.</summary>
    [Test]
    public void AProgramOutsideTheTreeRunsOnThePackages()
    {
        string folder = Directory.CreateDirectory(Path.Combine(PackedFeed.Scratch, "consumer")).FullName;
        foreach (string file in Directory.GetFiles(Path.Combine(TestContext.CurrentContext.TestDirectory, "Consumer")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        File.WriteAllText(Path.Combine(folder, "Readme.cs"), ReadmeProgram());

        DotnetCommand.Run(folder, "build", "-c", "Release", "-o", "out", $"-p:LoraKernelsVersion={PackedFeed.Version}");
        string output = DotnetCommand.Run(folder, "out/Consumer.dll");

        Assert.That(output.Trim().ReplaceLineEndings("\n"), Is.EqualTo("device Cpu\ny 64 128 192\ncheckpoints ok"));
    }

    // The README's lines of C#, with what they speak of as parameters.
    private static string ReadmeProgram()
    {
        string[] blocks = CSharpBlocks(File.ReadAllText(Path.Combine(PackedFeed.RepositoryRoot, "README.md")));
        Assert.That(blocks, Has.Length.EqualTo(2));
        return $$"""
            using LoraKernels;
            using LoraKernels.Checkpoints;
            using LoraKernels.Serving;

            internal sealed record Request(PooledAdapter Adapter, int Tokens);

            internal static class Readme
            {
                internal static void Run(DeviceTensor<Half> x, DeviceTensor<Half> y)
                {
            {{blocks[0]}}
                }

                internal static async Task Serve(
                    Device device, Checkpoint model, List<Request> running, Linear qProj, DeviceTensor<Half> x,
                    DeviceTensor<Half> y, Action<Request, int> gather)
                {
            {{blocks[1]}}
                }
            }
            """;
    }

    private static string[] CSharpBlocks(string text)
    {
        const string Fence = "```csharp";
        return [.. text.Split(Fence).Skip(1).Select(block => block[..block.IndexOf("```", StringComparison.Ordinal)])];
    }

    /// <summary>The command line installs as a .NET tool, finds its native library and describes the CPU.</summary>
    [Test]
    public void TheToolInstallsAndRuns()
    {
        string folder = Path.Combine(PackedFeed.Scratch, "tool");
        DotnetCommand.Run(
            PackedFeed.Scratch,
            "tool", "install", "LoraKernels.Cli", "--tool-path", folder, "--version", PackedFeed.Version);

        string command = Path.Combine(folder, "lorakernels");
        string output = DotnetCommand.RunProgram(command, PackedFeed.Scratch, "info", "--json");

        Assert.That(output, Does.Contain("liblorakernels.so").And.Contain(folder));
    }
}
