using System.Text.Json;
using LoraKernels.Checkpoints;
using LoraKernels.Tests.Bindings;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
public sealed class QuantizeTests : IDisposable
{
    private static readonly string Source = Path.Combine(Repository.Root, "tests", "golden", "quantize", "source");

    private readonly TemporaryFolder _folder = new();

    // NUnit disposes the fixture after its last test.
    public void Dispose() => _folder.Dispose();

    [Test]
    public void APersonSeesModulesErrorsAndWhatIsKept()
    {
        CommandLine run = CommandLine.Run("quantize", Source, _folder["person"], "--device", "cpu");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        string[] lines = run.Output.Split('\n');
        Assert.That(lines[0], Is.EqualTo($"Quantized: {_folder["person"]}"));
        Assert.That(run.Output, Does.Contain("model.layers.0.self_attn.q_proj").And.Contain("kept by default: 'lm_head'"));
        Assert.That(run.Output, Does.Contain("bitsandbytes NF4 with nested absmax, groups of 64"));
        using Checkpoint made = Checkpoint.Open(_folder["person"]);
        Assert.That(made.Weights, Has.Count.EqualTo(4));
    }

    [Test]
    public void AScriptGetsEveryModule()
    {
        CommandLine run = CommandLine.Run(
            "quantize", Source, _folder["script"], "--format", "int4", "--group-size", "32", "--symmetric", "false",
            "--exclude", "q_proj", "--device", "cpu", "--json");
        JsonElement report = run.Json();

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(report.GetProperty("format").GetString(), Is.EqualTo("int4"));
        Assert.That(report.GetProperty("groupSize").GetInt64(), Is.EqualTo(32));
        Assert.That(report.GetProperty("zeroPoints").GetBoolean(), Is.True);
        JsonElement[] modules = [.. report.GetProperty("modules").EnumerateArray()];
        Assert.That(modules.Select(static m => m.GetProperty("name").GetString()), Is.EquivalentTo((string[])
            ["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"]));
        foreach (JsonElement module in modules)
        {
            double rms = module.GetProperty("relativeRms").GetDouble();
            Assert.That(rms, Is.InRange(0.01, 0.2));
            Assert.That(module.GetProperty("worstGroupRelativeRms").GetDouble(), Is.GreaterThanOrEqualTo(rms));
            Assert.That(module.GetProperty("bytes").GetInt64(), Is.LessThan(module.GetProperty("sourceBytes").GetInt64()));
        }
        string?[] kept = [.. report.GetProperty("kept").EnumerateArray().Select(static k => k.GetProperty("reason").GetString())];
        Assert.That(kept, Has.Some.EqualTo("excluded by 'q_proj'").And.Some.Contains("no multiple of the group size 32"));
    }

    [TestCase("--group-size: is 48", "--group-size", "48")]
    [TestCase("--group-size: is 40; int4 allows multiples of 32", "--format", "int4", "--group-size", "40")]
    [TestCase("--symmetric: nf4", "--symmetric", "true")]
    [TestCase("--nested: int4", "--format", "int4", "--nested", "false")]
    [TestCase("'q4'", "--format", "q4")]
    public void OptionsThatMakeNoSenseAreNamed(string message, params string[] options)
    {
        CommandLine run = CommandLine.Run(["quantize", Source, _folder["none"], .. options]);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.Output);
        Assert.That(run.Error, Does.Contain(message));
        Assert.That(Directory.Exists(_folder["none"]), Is.False);
    }

    [Test]
    public void FailuresAreOneLineAndLeaveNothing()
    {
        CommandLine missing = CommandLine.Run("quantize", _folder["missing"], _folder["out"]);
        Assert.That((missing.ExitCode, missing.Error), Is.EqualTo((1, $"error: There is no file or folder {_folder["missing"]}.\n")));

        string awq = Path.Combine(Repository.Root, "tests", "golden", "checkpoints", "awq");
        CommandLine quantized = CommandLine.Run("quantize", awq, _folder["out"], "--device", "cpu");
        Assert.That(quantized.ExitCode, Is.EqualTo(1));
        Assert.That(quantized.Error, Does.Contain("is quantized already"));

        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        CommandLine interrupted = CommandLine.Run(cancelled.Token, "quantize", Source, _folder["out"], "--device", "cpu");
        Assert.That(interrupted.ExitCode, Is.EqualTo(130));
        Assert.That(Directory.GetFileSystemEntries(_folder.Path, "out*"), Is.Empty);
    }
}
