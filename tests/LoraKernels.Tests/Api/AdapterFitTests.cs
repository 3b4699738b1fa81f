using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>An adapter fits its table in full, or is refused with everything that does not fit.</summary>
public sealed class AdapterFitTests
{
    private Device _device = null!;
    private LoraTable _table = null!;

    [SetUp]
    public void Open()
    {
        _device = Device.OpenCpu();
        _table = Sample.Table(_device, "mistralai/Mistral-7B-v0.1");
    }

    [TearDown]
    public void Close()
    {
        _table.Dispose();
        _device.Dispose();
    }

    [Test]
    public void EveryMismatchIsListedAndNothingIsAdded()
    {
        var adapter = new LoraAdapter(
            "bad",
            [
                Sample.Factors(Sample.Plain, 4, Sample.InFeatures, Sample.OutFeatures),
                Sample.Factors("model.layers.9.self_attn.o_proj", 4, 8, 8),
                Sample.Factors(Sample.Query, 4, 65, 23),
                Sample.Factors(Sample.Plain, 4, Sample.InFeatures, Sample.OutFeatures),
                Sample.Factors(Sample.Key, 513, Sample.InFeatures, 11),
                Sample.Factors(Sample.Value, 0, Sample.InFeatures, 12),
            ],
            "meta-llama/Llama-3.1-8B");

        AdapterMismatchException error = Refusal(adapter);

        Assert.That(error.Adapter, Is.EqualTo("bad"));
        Assert.That(error.Mismatches, Is.EqualTo(new[]
        {
            "its base model is 'meta-llama/Llama-3.1-8B', the table's is 'mistralai/Mistral-7B-v0.1'",
            "module 'model.layers.9.self_attn.o_proj' is not in the table",
            $"module '{Sample.Query}' has 64 input features, the adapter's A [4, 65] has 65",
            $"module '{Sample.Query}' has 24 output features, the adapter's B [23, 4] has 23",
            $"module '{Sample.Plain}' occurs more than once",
            $"module '{Sample.Key}' has rank 513 in the adapter; allowed are 1 … 512",
            $"module '{Sample.Value}' has rank 0 in the adapter; allowed are 1 … 512",
        }));
        foreach (string mismatch in error.Mismatches)
            Assert.That(error.Message, Does.Contain(mismatch));
        Assert.That(error.Message, Does.Contain("7 mismatches"));
        Assert.That(_table.Bytes, Is.Zero);
    }

    [Test]
    public void PrefixThatIsOffIsNamed()
    {
        LoraFactors lacking = Sample.Factors("layers.0.self_attn.o_proj", 4, Sample.InFeatures, Sample.OutFeatures);
        LoraFactors doubled = Sample.Factors($"base_model.{Sample.Query}", 4, Sample.InFeatures, 24);

        AdapterMismatchException error = Refusal(new LoraAdapter("prefix", [lacking, doubled]));

        Assert.That(error.Mismatches[0], Does.EndWith($"is not in the table (which has '{Sample.Plain}')"));
        Assert.That(error.Mismatches[1], Does.EndWith($"is not in the table (which has '{Sample.Query}')"));
    }

    [Test]
    public void FusedModuleIsNamedByItsSlices()
    {
        LoraFactors fused = Sample.Factors(Sample.Fused, 4, Sample.InFeatures, Sample.OutFeatures);

        Assert.That(
            Refusal(new LoraAdapter("fused", [fused])).Mismatches,
            Is.EqualTo(new[]
            {
                $"module '{Sample.Fused}' is fused and has columns outside of its slices; adapters name the slices: "
                    + $"'{Sample.Query}', '{Sample.Key}', '{Sample.Value}'",
            }));
    }

    [Test]
    public void SavedModulesAreRefusedUnlessTheEngineAppliesThem()
    {
        HostMatrix head = HostMatrix.From(Sample.Values(6 * 4, 1), 6, 4);
        var embedding = new LoraFactors(
            "model.embed_tokens", HostMatrix.From(new float[2 * 6], 2, 6), HostMatrix.From(new float[4 * 2], 4, 2), 1);
        var adapter = new LoraAdapter(
            "full", [Sample.Factors(Sample.Plain, 4, Sample.InFeatures, Sample.OutFeatures), embedding],
            savedModules: [new SavedModule("lm_head", head)]);

        IReadOnlyList<string> mismatches = Refusal(adapter).Mismatches;
        Assert.That(mismatches, Has.Count.EqualTo(2));
        Assert.That(mismatches[0], Is.EqualTo("module 'model.embed_tokens' is not in the table"));
        Assert.That(mismatches[1], Does.Contain("'lm_head' was trained in full, [6, 4], and is not in the table"));

        using LoadedAdapter loaded = _table.Add(
            adapter, new AdapterOptions { AppliedElsewhere = ["lm_head", "model.embed_tokens"] });
        Assert.That(loaded.Id, Is.GreaterThan(0));
    }

    [TestCase("mistralai/Mistral-7B-v0.1")]
    [TestCase("mistral-7b-V0.1")]
    [TestCase("/models/Mistral-7B-v0.1/")]
    [TestCase(@"C:\models\mistral-7b-v0.1\")]
    [TestCase(" ")]
    [TestCase(null)]
    public void SameBaseModelInOtherWordsFits(string? baseModel)
    {
        using LoadedAdapter loaded = _table.Add(Sample.Adapter(baseModel: baseModel));

        Assert.That(loaded.Name, Is.EqualTo("sql"));
        Assert.That(loaded.Id, Is.GreaterThan(0));
        Assert.That(loaded.Table, Is.SameAs(_table));
        Assert.That(_table.Bytes, Is.GreaterThan(0));
    }

    [TestCase("mistralai/Mistral-7B-v0.2")]
    [TestCase("Mistral-7B-v0.1-bnb-4bit")]
    public void OtherBaseModelIsRefused(string baseModel) =>
        Assert.That(Refusal(Sample.Adapter(baseModel: baseModel)).Mismatches, Has.Count.EqualTo(1));

    [Test]
    public void TableWithoutBaseModelTakesAnyAdapter()
    {
        using LoraTable table = Sample.Table(_device);
        using LoadedAdapter loaded = table.Add(Sample.Adapter(baseModel: "anything"));

        Assert.That(loaded.IsRemoved, Is.False);
    }

    [Test]
    public void AdapterThatChangesNothingFits()
    {
        using LoadedAdapter loaded = _table.Add(new LoraAdapter("empty", []));

        Assert.That(loaded.Id, Is.GreaterThan(0));
    }

    [Test]
    public void FactorsMayLieAtAnyAlignment()
    {
        byte[] bytes = new byte[2 * (2 * 64 + 48 * 2) + 1];
        var a = new HostMatrix(bytes.AsMemory(1, 2 * 64 * 2), 2, 64, DType.Float16);
        var b = new HostMatrix(bytes.AsMemory(1 + 2 * 64 * 2, 48 * 2 * 2), 48, 2, DType.Float16);

        using LoadedAdapter loaded = _table.Add(new LoraAdapter("odd", [new LoraFactors(Sample.Plain, a, b, 1)]));

        Assert.That(loaded.Id, Is.GreaterThan(0));
    }

    [Test]
    public void NameOccursOnceInATable()
    {
        LoraModule[] twice = [new(Sample.Plain, 8, 8), new("fused", 8, 8, new OutputSlice(Sample.Plain, 0, 8))];

        Assert.That(
            () => new LoraTable(_device, twice),
            Throws.ArgumentException.With.Message.Contains($"'{Sample.Plain}' occurs twice"));
        Assert.That(
            () => new LoraTable(_device, [null!]), Throws.ArgumentException.With.Message.Contains("modules[0]"));
    }

    private AdapterMismatchException Refusal(LoraAdapter adapter) =>
        Assert.Throws<AdapterMismatchException>(() => _table.Add(adapter))!;
}
