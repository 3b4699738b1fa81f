using System.Text.Json;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
public sealed class InfoTests
{
    [Test]
    public void JsonNamesTheLibraryTheProcessorAndCudaOrWhyNot()
    {
        CommandLine run = CommandLine.Run("info", "--json");
        JsonElement info = run.Json();

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(File.Exists(info.GetProperty("library").GetProperty("path").GetString()), Is.True);
        Assert.That(info.GetProperty("library").GetProperty("version").GetString(), Is.Not.Empty);
        Assert.That(info.GetProperty("library").GetProperty("abiVersion").GetInt32(), Is.Positive);
        Assert.That(
            Device.CpuPaths.Select(path => path.ToString().ToLowerInvariant()),
            Does.Contain(info.GetProperty("cpu").GetProperty("isa").GetString()));
        Assert.That(info.GetProperty("cpu").GetProperty("threads").GetInt32(), Is.Positive);
        Assert.That(info.GetProperty("cpu").GetProperty("memoryBytes").GetInt64(), Is.Positive);

        JsonElement cuda = info.GetProperty("cuda");
        bool hasGpu = cuda.GetProperty("devices").GetArrayLength() > 0;
        Assert.That(cuda.GetProperty("whyNot").ValueKind, Is.EqualTo(hasGpu ? JsonValueKind.Null : JsonValueKind.String));
    }

    [Test]
    public void TextIsPlainAndHoldsTheSame()
    {
        CommandLine run = CommandLine.Run("info");
        string path = CommandLine.Run("info", "--json").Json().GetProperty("library").GetProperty("path").GetString()!;

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Error, Is.Empty);
        Assert.That(run.Output, Does.Not.Contain("\e").And.Contain("CPU").And.Contain("CUDA"));
        Assert.That(Unwrap(run.Output), Does.Contain(Unwrap(path)));
    }

    // A path that is longer than the line is broken.
    private static string Unwrap(string text) => string.Concat(text.Where(static c => !char.IsWhiteSpace(c)));
}
