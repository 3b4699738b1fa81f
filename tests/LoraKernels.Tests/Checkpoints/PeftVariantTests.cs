using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>PEFT's kinds of adapters beside the plain one, and the names that its writers give the same tensor.</summary>
public sealed class PeftVariantTests : FolderTests
{
    private const string Q = "model.layers.0.self_attn.q_proj";

    private string WeightsPath => Folder.Combine("adapter_model.safetensors");

    // PEFT and transformers; a dumped state dictionary; without the prefix; with it twice; compiled; FSDP; DDP.
    [TestCase("base_model.model.", ".lora_A.weight", ".lora_B.weight")]
    [TestCase("base_model.model.", ".lora_A.default.weight", ".lora_B.default.weight")]
    [TestCase("base_model.model.", ".lora_A.my-adapter.weight", ".lora_B.weight")]
    [TestCase("", ".lora_A.weight", ".lora_B.weight")]
    [TestCase("base_model.model.base_model.model.", ".lora_A.weight", ".lora_B.weight")]
    [TestCase("_orig_mod.base_model.model.", ".lora_A.weight", ".lora_B.weight")]
    [TestCase("base_model.model._fsdp_wrapped_module.", "._fsdp_wrapped_module.lora_A.default.weight", ".lora_B.default.weight")]
    [TestCase("base_model.model._checkpoint_wrapped_module.", ".lora_A.weight", ".lora_B.weight")]
    [TestCase("module.base_model.model.", ".lora_A.weight", ".lora_B.weight")]
    public void FindsTheModuleInWhatWritersCallIt(string prefix, string a, string b)
    {
        PeftFolder.Write(Folder, PeftFolder.Config, [Entry(prefix + Q + a, 2, 4), Entry(prefix + Q + b, 3, 2)]);
        Assert.That(PeftAdapter.Read(Folder.Path).Factors.Select(f => f.Module), Is.EqualTo((string[])[Q]));
    }

    [Test]
    public void RefusesOneModuleByTwoNamesAndTwoAdaptersInOneFile()
    {
        PeftFolder.Write(Folder, PeftFolder.Config, [.. PeftFolder.Factors(), Entry($"{Q}.lora_A.weight", 2, 4)]);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), WeightsPath, $"{Q}.lora_A.weight", "the A of", Q);

        PeftFolder.Write(Folder, PeftFolder.Config,
            [Entry($"{Q}.lora_A.one.weight", 2, 4), Entry($"{Q}.lora_B.two.weight", 3, 2)]);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), WeightsPath, null, "2 adapters ('one', 'two')");
    }

    [Test]
    public void NamesEveryTensorThatItWouldHaveToLeaveOut()
    {
        PeftFolder.Write(Folder, PeftFolder.Config,
            [.. PeftFolder.Factors(), Entry("x.lora_A.bias", 2, 4), Entry("y.router.gate", 2, 4), Entry("z.lora_C", 2, 4)]);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), WeightsPath, "x.lora_A.bias", "so are 2 others: 'y.router.gate', 'z.lora_C'");
    }

    [TestCase("lora_bias", ".lora_B.bias"), TestCase("use_dora", ".lora_magnitude_vector")]
    [TestCase("use_dora", ".lora_magnitude_vector.default.weight"), TestCase("use_dora", ".lora_magnitude_vector.weight")]
    public void ReadsBiasesAndMagnitudes(string field, string suffix)
    {
        PeftFolder.Write(Folder, With(field), [.. QueryFactors(), Entry(Prefixed(suffix), [3])]);
        LoraFactors q = PeftAdapter.Read(Folder.Path).Factors.Single();
        HostMatrix? found = field == "lora_bias" ? q.Bias : q.Magnitude;
        Assert.That(found, Is.Not.Null);
        Assert.That((found!.Rows, found.Columns), Is.EqualTo((1, 3)));
        Assert.That(found.Data.ToArray(), Is.EqualTo(SafetensorsBytes.Data(12)));
        Assert.That(field == "lora_bias" ? q.Magnitude : q.Bias, Is.Null);
    }

    [TestCase("lora_bias", ".lora_B.bias"), TestCase("use_dora", ".lora_magnitude_vector")]
    public void RefusesBiasesAndMagnitudesThatDoNotFit(string field, string suffix)
    {
        string path = WeightsPath;
        PeftFolder.Write(Folder, With(field), QueryFactors());
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), path, Prefixed(".lora_B.weight"), $"{field}: true");
        PeftFolder.Write(Folder, PeftFolder.Config, [.. QueryFactors(), Entry(Prefixed(suffix), [3])]);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), path, Prefixed(suffix), $"does not have {field}: true");
        PeftFolder.Write(Folder, With(field), [.. QueryFactors(), Entry(Prefixed(suffix), [4])]);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), path, Prefixed(suffix), "[4]", "needs [3]");
    }

    [Test]
    public void RefusesDoraWithBiases()
    {
        PeftFolder.Write(Folder, With("lora_bias").Replace("\"use_dora\": false", "\"use_dora\": true", StringComparison.Ordinal),
            QueryFactors());
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), Folder.Combine("adapter_config.json"), "lora_bias", "does not define");
    }

    [Test]
    public void ReadsEmbeddings()
    {
        PeftFolder.Write(Folder, PeftFolder.Config, [.. QueryFactors(),
            Entry("base_model.model.model.embed_tokens.lora_embedding_A", 2, 11),
            Entry("base_model.model.model.embed_tokens.lora_embedding_B", 4, 2)]);
        LoraAdapter adapter = PeftAdapter.Read(Folder.Path);
        LoraFactors embedding = adapter.Factors[0];
        Assert.That((embedding.Module, embedding.IsEmbedding), Is.EqualTo(("model.embed_tokens", true)));
        Assert.That((embedding.A.Columns, embedding.B.Rows, embedding.Rank), Is.EqualTo((11, 4, 2)));
        Assert.That(adapter.Factors[1].IsEmbedding, Is.False);
    }

    [TestCase("base_model.model.score.modules_to_save.default."), TestCase("base_model.model.score.modules_to_save.")]
    [TestCase("base_model.model.score."), TestCase("score.")]
    public void ReadsModulesTrainedInFull(string prefix)
    {
        string config = PeftFolder.Config.Replace("\"modules_to_save\": null", "\"modules_to_save\": [\"score\"]", StringComparison.Ordinal);
        PeftFolder.Write(Folder, config, [.. QueryFactors(), Entry(prefix + "weight", 5, 4), Entry(prefix + "bias", [5]),
            Entry("base_model.model.score.original_module.weight", 5, 4)]);
        LoraAdapter adapter = PeftAdapter.Read(Folder.Path);
        SavedModule score = adapter.SavedModules.Single();
        Assert.That(score.Name, Is.EqualTo("score"));
        Assert.That((score.Weight.Rows, score.Weight.Columns, score.Bias!.Columns), Is.EqualTo((5, 4, 5)));
        Assert.That(adapter.Factors, Has.Count.EqualTo(1));
        Assert.That(adapter.Bytes, Is.EqualTo(4 * (2 * 4 + 3 * 2 + 5 * 4 + 5)));
    }

    [Test]
    public void RefusesAChangedBiasOfTheBase()
    {
        PeftFolder.Write(Folder, PeftFolder.Config, [.. QueryFactors(), Entry($"base_model.model.{Q}.bias", [3])]);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), WeightsPath, $"base_model.model.{Q}.bias", "changed bias");
    }

    [TestCase(false, true), TestCase(true, false)]
    public void GivesBackWhatItWrote(bool bias, bool magnitude)
    {
        HostMatrix vector = HostMatrix.From([1f, -2, 3], 1, 3);
        var written = new LoraAdapter("variant",
        [
            new LoraFactors("a.q", Matrix(2, 4), Matrix(3, 2), 0.5f, bias ? vector : null, magnitude ? vector : null),
            new LoraFactors("embed", Matrix(2, 9), Matrix(4, 2), 0.5f) { IsEmbedding = true },
        ], savedModules: [new SavedModule("score", Matrix(3, 4), vector), new SavedModule("norm", Matrix(1, 4))]);
        PeftAdapter.Write(Folder.Path, written);
        LoraAdapter read = PeftAdapter.Read(Folder.Path);
        Assert.That(read.Factors.Select(f => (f.Module, f.IsEmbedding)), Is.EqualTo(((string, bool)[])[("a.q", false), ("embed", true)]));
        Assert.That(read.Factors[0].Bias?.Data.ToArray(), Is.EqualTo(written.Factors[0].Bias?.Data.ToArray()));
        Assert.That(read.Factors[0].Magnitude?.Data.ToArray(), Is.EqualTo(written.Factors[0].Magnitude?.Data.ToArray()));
        Assert.That(read.SavedModules.Select(m => m.Name), Is.EqualTo((string[])["norm", "score"]));
        Assert.That(read.SavedModules[1].Bias!.Data.ToArray(), Is.EqualTo(vector.Data.ToArray()));
        Assert.That(read.Bytes, Is.EqualTo(written.Bytes));
    }

    [Test]
    public void RefusesToWriteABiasOfSomeModulesOnly()
    {
        var adapter = new LoraAdapter("half",
        [
            new LoraFactors("a", Matrix(2, 4), Matrix(3, 2), 1, bias: Matrix(1, 3)),
            new LoraFactors("b", Matrix(2, 4), Matrix(3, 2), 1),
        ]);
        Assert.That(() => PeftAdapter.Write(Folder.Path, adapter), Throws.ArgumentException.With.Message.Contains("b has none"));
    }

    private static HostMatrix Matrix(int rows, int columns) =>
        HostMatrix.From([.. Enumerable.Range(0, rows * columns).Select(i => i * 0.25f)], rows, columns);

    private static string With(string field) =>
        PeftFolder.Config.Replace($"\"{field}\": false", $"\"{field}\": true", StringComparison.Ordinal);

    private static string Prefixed(string suffix) => $"base_model.model.{Q}{suffix}";

    private static SafetensorsEntry[] QueryFactors() =>
        [Entry(Prefixed(".lora_A.weight"), 2, 4), Entry(Prefixed(".lora_B.weight"), 3, 2)];

    private static SafetensorsEntry Entry(string name, params long[] shape) =>
        new(name, TensorType.F32, shape, SafetensorsBytes.Data(4 * (int)shape.Aggregate((a, b) => a * b)));
}
