using System.Text.Json;
using LoraKernels.Cli.Commands.Demo;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
public sealed class DemoTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj";
    private static readonly string[] Steps = ["base", "same", "distinct", "mixed", "one_by_one"];
    private static readonly string[] Refused = ["other-base", "other-module", "too-wide"];

    private readonly TemporaryFolder _folder = new();
    private DemoFiles _files = null!;

    [OneTimeSetUp]
    public void WriteFiles() => _files = TinyFiles.Write(_folder["cache"]);

    // NUnit disposes the fixture after its last test.
    public void Dispose() => _folder.Dispose();

    [TestCase("fp32", 1e-5)]
    [TestCase("fp16", 1e-3)]
    [TestCase("bf16", 8e-3)]
    public void EveryRowIsVerifiedAndReported(string dtype, double limit)
    {
        CommandLine run = Demo(_files.Adapters, "--rows", "32", "--dtype", dtype, "--json");
        JsonElement report = run.Json();

        Assert.That(run.ExitCode, Is.Zero, run.Output);
        Assert.That(run.Error, Is.Empty);
        Assert.That(report.GetProperty("ok").GetBoolean(), Is.True);

        JsonElement check = report.GetProperty("check");
        Assert.That(check.GetProperty("rowsChecked").GetInt32(), Is.EqualTo(32 * 7));
        Assert.That(check.GetProperty("rowsOverLimit").GetInt32(), Is.Zero);
        Assert.That(check.GetProperty("limit").GetDouble(), Is.EqualTo(limit));
        Assert.That(check.GetProperty("worstError").GetDouble(), Is.GreaterThan(0).And.LessThanOrEqualTo(limit));
        Assert.That(check.GetProperty("largestEffect").GetDouble(), Is.GreaterThan(10 * limit));
        Assert.That(check.GetProperty("sameBitsOneByOne").GetBoolean(), Is.True);

        JsonElement pool = report.GetProperty("pool");
        Assert.That(pool.GetProperty("steps").GetInt32(), Is.GreaterThan(1));
        Assert.That(pool.GetProperty("mostResident").GetInt32(), Is.InRange(1, 24));
        Assert.That(pool.GetProperty("loads").GetInt64(), Is.GreaterThanOrEqualTo(25));
        Assert.That(pool.GetProperty("evictions").GetInt64(), Is.GreaterThan(0));
        Assert.That(pool.GetProperty("sameBits").GetBoolean(), Is.True);

        Assert.That(report.GetProperty("adapters").GetProperty("loaded").GetArrayLength(), Is.EqualTo(25));
        JsonElement requests = report.GetProperty("requests");
        Assert.That(requests.GetProperty("adapterOfRow").GetArrayLength(), Is.EqualTo(32));
        Assert.That(requests.GetProperty("dtype").GetString(), Is.EqualTo(dtype));
        Assert.That(requests.GetProperty("plainRows").GetInt32(), Is.EqualTo(4));
        Assert.That(requests.GetProperty("distinctAdapters").GetInt32(), Is.EqualTo(25));
        Assert.That(
            report.GetProperty("timings").EnumerateArray().Select(static timing => timing.GetProperty("name").GetString()),
            Is.EqualTo(Steps));

        JsonElement memory = report.GetProperty("memory");
        Assert.That(
            memory.GetProperty("together").GetInt64(),
            Is.EqualTo(memory.GetProperty("base").GetInt64() + memory.GetProperty("adapters").GetInt64()));
        Assert.That(
            memory.GetProperty("fullModels16Bit").GetInt64(),
            Is.EqualTo(25 * 2 * TinyFiles.Shape.Linears.Sum(static linear => linear.Weights)));
    }

    [Test]
    public void TextEndsWithTheVerdictAndHasNoEscapes()
    {
        CommandLine run = Demo(_files.Adapters, "--rows", "5");

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Error, Is.Empty);
        Assert.That(run.Output, Does.Not.Contain("\e"));
        Assert.That(run.Output.TrimEnd().Split('\n')[^1], Does.StartWith("verified: 35 of 35"));
    }

    [Test]
    public void AnAdapterThatDoesNotFitIsRefusedWithEveryMismatch()
    {
        string adapters = _folder["mixed"];
        TinyFiles.WriteAdapter(Path.Combine(adapters, "fits"), Query, 72, 72);
        TinyFiles.WriteAdapter(Path.Combine(adapters, "too-wide"), Query, 80, 72);
        TinyFiles.WriteAdapter(Path.Combine(adapters, "other-module"), "model.layers.0.self_attn.qkv_proj", 72, 72);
        TinyFiles.WriteAdapter(Path.Combine(adapters, "other-base"), Query, 72, 72, baseModel: "someone/else");

        CommandLine json = Demo(adapters, "--rows", "6", "--json");
        CommandLine text = Demo(adapters, "--rows", "6");

        Assert.That(json.ExitCode, Is.Zero, json.Error);
        JsonElement all = json.Json().GetProperty("adapters");
        Assert.That(Names(all.GetProperty("loaded")), Is.EquivalentTo((string[])["fits"]));
        Assert.That(Names(all.GetProperty("refused")), Is.EqualTo(Refused));
        foreach (JsonElement refused in all.GetProperty("refused").EnumerateArray())
            Assert.That(refused.GetProperty("mismatches").GetArrayLength(), Is.EqualTo(1), refused.GetRawText());
        Assert.That(text.Output, Does.Contain("too-wide does not fit").And.Contain("80").And.Contain("qkv_proj"));
    }

    [Test]
    public void AnAdapterOfAWholeModelMustFitAllOfItsLayers()
    {
        string model = _folder["layers"], adapters = _folder["layers-adapters"];
        TinyFiles.WriteLayers(model, 3);
        TinyFiles.WriteLayersAdapter(Path.Combine(adapters, "fits"), 3);
        TinyFiles.WriteLayersAdapter(Path.Combine(adapters, "misfits-elsewhere"), 3, wrongLayer: 0);
        TinyFiles.WriteLayersAdapter(Path.Combine(adapters, "too-deep"), 4);

        CommandLine run = CommandLine.Run(
            "demo", "--device", "cpu", "--model", model, "--layer", "2", "--adapters", adapters, "--rows", "9", "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement report = run.Json(), all = report.GetProperty("adapters");
        Assert.That(report.GetProperty("model").GetProperty("linears").GetArrayLength(), Is.EqualTo(1));
        Assert.That(Names(all.GetProperty("loaded")), Is.EquivalentTo((string[])["fits"]));
        Assert.That(all.GetProperty("loaded")[0].GetProperty("modules").GetInt32(), Is.EqualTo(1));
        string[] reasons = [.. all.GetProperty("refused").EnumerateArray().Select(static refused =>
            $"{refused.GetProperty("name")}: {refused.GetProperty("mismatches")[0]}")];
        Assert.That(reasons[0], Does.StartWith("misfits-elsewhere: model.layers.0.q_proj").And.Contain("[72, 80]"));
        Assert.That(reasons[1], Does.StartWith("too-deep: ").And.Contain("model.layers.3.q_proj"));
    }

    [Test]
    public void AnotherBaseNameIsTakenWhenAskedFor()
    {
        string adapters = _folder["any-base"];
        TinyFiles.WriteAdapter(Path.Combine(adapters, "other-base"), Query, 72, 72, baseModel: "someone/else");

        Assert.That(Demo(adapters, "--rows", "3").ExitCode, Is.EqualTo(1));
        Assert.That(Demo(adapters, "--rows", "3", "--any-base").ExitCode, Is.Zero);
    }

    [Test]
    public void NoFittingAdapterIsAFailureThatSaysWhy()
    {
        string adapters = _folder["none"];
        TinyFiles.WriteAdapter(Path.Combine(adapters, "too-wide"), Query, 80, 72);

        CommandLine run = Demo(adapters, "--json");

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Output, Is.Empty);
        Assert.That(run.Error, Does.StartWith("error: ").And.Contain("too-wide").And.Contain("80"));
    }

    [TestCase("--layer 3", "no layer 3")]
    public void ALayerThatTheModelLacksIsNamed(string options, string message)
    {
        CommandLine run = Demo(_files.Adapters, options.Split(' '));

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.Contain(message));
    }

    [Test]
    public void AFolderWithoutAdaptersIsNamed()
    {
        CommandLine run = Demo(Directory.CreateDirectory(_folder["empty"]).FullName);

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.Contain("adapter_config.json"));
    }

    [Test]
    public void ACacheThatCannotBeWrittenIsNamed()
    {
        string file = _folder["file"];
        File.WriteAllText(file, "");

        CommandLine run = CommandLine.Run("demo", "--cache", file);

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.StartWith("error: ").And.Contain(file).And.Contain("--cache"));
    }

    [Test]
    public void CtrlCExitsWith130AndLeavesNoPartialFiles()
    {
        string cache = _folder["interrupted"];

        CommandLine run = CommandLine.Run(new CancellationToken(canceled: true), "demo", "--cache", cache);

        Assert.That(run.ExitCode, Is.EqualTo(130));
        Assert.That(run.Output, Is.Empty);
        Assert.That(Directory.EnumerateFileSystemEntries(cache), Is.Empty);
    }

    private CommandLine Demo(string adapters, params string[] options) =>
        CommandLine.Run(["demo", "--device", "cpu", "--model", _files.Model, "--adapters", adapters, .. options]);

    private static IEnumerable<string?> Names(JsonElement adapters) =>
        adapters.EnumerateArray().Select(static adapter => adapter.GetProperty("name").GetString());
}
