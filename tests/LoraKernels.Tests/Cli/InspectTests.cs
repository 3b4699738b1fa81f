using System.Text.Json;
using LoraKernels.Cli.Commands.Demo;
using LoraKernels.Tests.Bindings;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
public sealed class InspectTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private DemoFiles _files = null!;

    [OneTimeSetUp]
    public void WriteFiles() => _files = TinyFiles.Write(_folder["cache"]);

    // NUnit disposes the fixture after its last test.
    public void Dispose() => _folder.Dispose();

    [Test]
    public void ACheckpointListsItsWeightsWithShapesAndBytes()
    {
        CommandLine run = CommandLine.Run("inspect", _files.Model, "--json");
        JsonElement report = run.Json();

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(report.GetProperty("kind").GetString(), Is.EqualTo("checkpoint"));
        Assert.That(report.GetProperty("baseModel").GetString(), Is.EqualTo("lorakernels/tiny"));
        JsonElement[] weights = [.. report.GetProperty("weights").EnumerateArray()];
        foreach (LinearShape shape in TinyFiles.Shape.Linears)
        {
            JsonElement weight = weights.Single(weight => weight.GetProperty("name").GetString() == shape.Name);
            Assert.That(weight.GetProperty("format").GetString(), Is.EqualTo("nf4-nested"));
            Assert.That(weight.GetProperty("nested").GetBoolean(), Is.True);
            Assert.That(weight.GetProperty("outFeatures").GetInt64(), Is.EqualTo(shape.OutFeatures));
            Assert.That(weight.GetProperty("inFeatures").GetInt64(), Is.EqualTo(shape.InFeatures));
            Assert.That(weight.GetProperty("groupSize").GetInt64(), Is.EqualTo(64));
            Assert.That(weight.GetProperty("bytes").GetInt64(), Is.GreaterThan(shape.Weights / 2));
        }
        JsonElement totals = report.GetProperty("totals");
        Assert.That(totals.GetProperty("weights").GetInt32(), Is.EqualTo(7));
        Assert.That(
            totals.GetProperty("parameters").GetInt64(), Is.EqualTo(TinyFiles.Shape.Linears.Sum(static shape => shape.Weights)));
        Assert.That(
            totals.GetProperty("weightBytes").GetInt64(),
            Is.EqualTo(weights.Sum(static weight => weight.GetProperty("bytes").GetInt64())));
    }

    [TestCase("wikisql", 8, 8, 2f, 2f)]
    [TestCase("magicoder", 32, 48, 2f, 64f / 48)]
    [TestCase("medical-notes", 16, 16, 4f, 4f)]
    public void AnAdapterListsItsModulesWithRanksAndScales(
        string name, int attentionRank, int mlpRank, float attentionScale, float mlpScale)
    {
        CommandLine run = CommandLine.Run("inspect", Path.Combine(_files.Adapters, name), "--json");
        JsonElement report = run.Json();

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(report.GetProperty("kind").GetString(), Is.EqualTo("adapter"));
        Assert.That(report.GetProperty("modules").GetArrayLength(), Is.EqualTo(7));
        foreach (JsonElement module in report.GetProperty("modules").EnumerateArray())
        {
            bool mlp = module.GetProperty("name").GetString()!.Contains(".mlp.", StringComparison.Ordinal);
            float scale = module.GetProperty("scale").GetSingle();
            Assert.That(module.GetProperty("rank").GetInt32(), Is.EqualTo(mlp ? mlpRank : attentionRank));
            Assert.That(scale, Is.EqualTo(mlp ? mlpScale : attentionScale).Within(1e-6f));
        }
    }

    [Test]
    public void AnAdapterIsFoundByItsFilesToo()
    {
        string folder = Path.Combine(_files.Adapters, "wikisql");
        string whole = CommandLine.Run("inspect", folder, "--json").Output;

        Assert.That(CommandLine.Run("inspect", Path.Combine(folder, "adapter_config.json"), "--json").Output, Is.EqualTo(whole));
        Assert.That(
            CommandLine.Run("inspect", Path.Combine(folder, "adapter_model.safetensors"), "--json").Output, Is.EqualTo(whole));
    }

    [Test]
    public void TextIsPlain()
    {
        CommandLine checkpoint = CommandLine.Run("inspect", _files.Model);
        CommandLine adapter = CommandLine.Run("inspect", Path.Combine(_files.Adapters, "wikisql"));

        Assert.That(checkpoint.Output, Does.Not.Contain("\e").And.Contain("gate_proj").And.Contain("nf4-nested"));
        Assert.That(adapter.Output, Does.Not.Contain("\e").And.Contain("gate_proj").And.Contain("bf16"));
    }

    private static IEnumerable<string> GoldenFolders => Directory.GetFiles(GoldenRoot, "inspect.txt", SearchOption.AllDirectories)
        .Select(file => Path.GetFileName(Path.GetDirectoryName(file)!)).Order(StringComparer.Ordinal);

    private static string GoldenRoot => Path.Combine(Repository.Root, "tests", "golden", "checkpoints");

    [Test]
    public void EveryGoldenCheckpointHasItsTable() => Assert.That(GoldenFolders, Is.EquivalentTo(
        Directory.GetDirectories(GoldenRoot).Select(folder => Path.GetFileName(folder)).Where(name => !name.StartsWith('_'))));

    [TestCaseSource(nameof(GoldenFolders))]
    public void TheWholeTableOfEachKindIsAsItWasReviewed(string kind)
    {
        string folder = Path.Combine(GoldenRoot, kind);
        CommandLine run = CommandLine.Run("inspect", folder, "--all");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Output.Replace(Repository.Root, "", StringComparison.Ordinal).ReplaceLineEndings("\n"),
            Is.EqualTo(File.ReadAllText(Path.Combine(folder, "inspect.txt")).ReplaceLineEndings("\n")));
    }

    [Test]
    public void TheWrongKindOfFileIsNamed()
    {
        string text = _folder["notes.txt"], pickle = _folder["pytorch_model.bin"], empty = _folder["empty"];
        File.WriteAllText(text, "weights are elsewhere");
        File.WriteAllBytes(pickle, [0x80, 2, (byte)'}', (byte)'q', 0]);
        Directory.CreateDirectory(empty);

        foreach (string path in (string[])[text, pickle, empty, _folder["absent"]])
        {
            CommandLine run = CommandLine.Run("inspect", path);
            Assert.That(run.ExitCode, Is.EqualTo(1), path);
            Assert.That(run.Output, Is.Empty);
            Assert.That(run.Error, Does.StartWith("error: ").And.Contain(path));
        }
        Assert.That(CommandLine.Run("inspect", pickle).Error, Does.Contain("pickle"));
    }
}
