using System.Text.Json;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

public sealed class PeftAdapterTests : FolderTests
{
    private const string Q = "model.layers.0.self_attn.q_proj";
    private const string V = "model.layers.0.self_attn.v_proj";

    private string ConfigPath => Folder.Combine("adapter_config.json");

    private string WeightsPath => Folder.Combine("adapter_model.safetensors");

    [Test]
    public void ReadsWhatPeftWrites()
    {
        PeftFolder.Write(Folder, PeftFolder.Config, PeftFolder.Factors());
        var adapter = PeftAdapter.Read(Folder.Path + Path.DirectorySeparatorChar);
        Assert.Multiple(() =>
        {
            Assert.That(adapter.Name, Is.EqualTo(Path.GetFileName(Folder.Path)));
            Assert.That(adapter.BaseModel, Is.EqualTo("mistralai/Mistral-7B-v0.1"));
            Assert.That(adapter.Factors.Select(f => f.Module), Is.EqualTo($"{Q},{V}".Split(',')));
            var q = adapter.Factors[0];
            Assert.That((q.A.Rows, q.A.Columns, q.B.Rows, q.B.Columns), Is.EqualTo((2, 4, 3, 2)));
            Assert.That(q.A.DType, Is.EqualTo(DType.Float32));
            Assert.That(q.A.Data.ToArray(), Is.EqualTo(SafetensorsBytes.Data(32)));
            Assert.That(q.B.Data.ToArray(), Is.EqualTo(SafetensorsBytes.Data(24)));
            Assert.That(q.Scale, Is.EqualTo(8f));
        });
    }

    [TestCase(TensorType.F16, DType.Float16), TestCase(TensorType.BF16, DType.BFloat16)]
    public void KeepsTheFilesNumberFormat(TensorType type, DType expected)
    {
        PeftFolder.Write(Folder, PeftFolder.Config, [PeftFolder.Factor("q_proj.lora_A.weight", 2, 4, type),
            PeftFolder.Factor("q_proj.lora_B.weight", 3, 2, type)]);
        var q = PeftAdapter.Read(Folder.Path).Factors.Single();
        Assert.That((q.A.DType, q.B.DType), Is.EqualTo((expected, expected)));
    }

    [TestCase("\"use_rslora\": false", "\"use_rslora\": true", 11.3137085f, 11.3137085f)]
    [TestCase("\"lora_alpha\": 16", "\"lora_alpha\": 3.5", 1.75f, 1.75f)]
    [TestCase("\"lora_alpha\": 16, ", "", 4f, 4f)]
    [TestCase("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"v_proj\": 6}", 8f, 3f)]
    [TestCase("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"self_attn.[qv]_proj\": 2, \"v_proj\": 6}", 1f, 1f)]
    [TestCase("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"v_proj\": 6, \"self_attn.[qv]_proj\": 2}", 1f, 3f)]
    [TestCase("\"alpha_pattern\": {}", "\"alpha_pattern\": null", 8f, 8f)]
    [TestCase("\"init_lora_weights\": true", "\"init_lora_weights\": \"gaussian\"", 8f, 8f)]
    public void TakesTheScaleFromTheConfiguration(string old, string changed, float scaleOfQ, float scaleOfV)
    {
        PeftFolder.Write(Folder, PeftFolder.Config.Replace(old, changed, StringComparison.Ordinal), PeftFolder.Factors());
        Assert.That(PeftAdapter.Read(Folder.Path).Factors.Select(f => f.Scale),
            Is.EqualTo((float[])[scaleOfQ, scaleOfV]));
    }

    [Test]
    public void TakesTheRankOfTheFirstPatternThatMatches()
    {
        PeftFolder.Write(Folder, PeftFolder.Config.Replace("\"rank_pattern\": {}",
            "\"rank_pattern\": {\"self_attn.v_proj\": 4, \"v_proj\": 3}", StringComparison.Ordinal),
            [.. PeftFolder.Factors()[..2], PeftFolder.Factor("v_proj.lora_A.weight", 4, 4),
                PeftFolder.Factor("v_proj.lora_B.weight", 2, 4)]);
        var factors = PeftAdapter.Read(Folder.Path).Factors;
        Assert.That(factors.Select(f => (f.Rank, f.Scale)), Is.EqualTo(((long, float)[])[(2, 8f), (4, 4f)]));
    }

    [TestCase("bias", "\"none\"", "\"lora_only\"", "'lora_only'")]
    [TestCase("peft_type", "\"LORA\"", "\"IA3\"", "'IA3'")]
    [TestCase("layer_replication", "null", "[[0,2]]", "a list of 1")]
    [TestCase("init_lora_weights", "true", "\"pissa\"", "'pissa'")]
    [TestCase("init_lora_weights", "true", "\"pissa_niter_4\"", "'pissa_niter_4'")]
    [TestCase("init_lora_weights", "true", "\"olora\"", "'olora'")]
    [TestCase("init_lora_weights", "true", "\"loftq\"", "'loftq'")]
    [TestCase("use_rslora", "false", "1", "1")]
    [TestCase("use_dora", "false", "1", "1")]
    [TestCase("lora_bias", "false", "\"yes\"", "'yes'")]
    [TestCase("r", "2", "0", "0")]
    [TestCase("r", "2", "513", "513")]
    [TestCase("r", "2", "2.5", "2.5")]
    [TestCase("r", "2", "\"2\"", "'2'")]
    [TestCase("lora_alpha", "16", "1e400", "1e400")]
    [TestCase("lora_alpha", "16", "null", "null")]
    [TestCase("lora_alpha", "16", "1e300", "no finite number")]
    [TestCase("rank_pattern", "{}", "[]", "a list of 0")]
    [TestCase("base_model_name_or_path", "\"mistralai/Mistral-7B-v0.1\"", "7", "7")]
    public void RefusesWhatItWouldHaveToLeaveOut(string field, string value, string changed, string found)
    {
        PeftFolder.Write(Folder, PeftFolder.Config.Replace($"\"{field}\": {value}", $"\"{field}\": {changed}",
            StringComparison.Ordinal), PeftFolder.Factors());
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), ConfigPath, field, found);
    }

    [TestCase("use_new_thing", "true"), TestCase("alora_invocation_tokens", "[1]"), TestCase("use_qalora", "true")]
    [TestCase("trainable_token_indices", "[3]")]
    public void RefusesFieldsThatItDoesNotKnowWhenTheyAreSet(string field, string value)
    {
        string config = PeftFolder.Config.TrimEnd()[..^1];
        PeftFolder.Write(Folder, $"{config}, \"{field}\": {value}}}", PeftFolder.Factors());
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), ConfigPath, field, "not known");
        foreach (string unset in (string[])["null", "false", "[]", "{}", "\"\""])
        {
            Folder.Write("adapter_config.json", $"{config}, \"{field}\": {unset}}}");
            Assert.That(PeftAdapter.Read(Folder.Path).Factors, Has.Count.EqualTo(2));
        }
    }

    [TestCase("\"rank_pattern\": {\"(?=x)\": 2}", "rank_pattern: (?=x)", "(?")]
    [TestCase("\"rank_pattern\": {\"x\": 0}", "rank_pattern: x", "from 1 to 512")]
    [TestCase("\"rank_pattern\": {\"x\": true}", "rank_pattern: x", "true")]
    public void NamesThePatternAtFault(string pattern, string subject, string found)
    {
        PeftFolder.Write(Folder, PeftFolder.Config.Replace("\"rank_pattern\": {}", pattern, StringComparison.Ordinal),
            PeftFolder.Factors());
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), ConfigPath, subject, found);
    }

    [Test]
    public void RefusesThousandsOfRegularExpressions()
    {
        string patterns = string.Join(", ", Enumerable.Range(0, 65).Select(i => $"\"x{i}+\": 2"));
        PeftFolder.Write(Folder, PeftFolder.Config.Replace("\"rank_pattern\": {}",
            $"\"rank_pattern\": {{{patterns}}}", StringComparison.Ordinal), PeftFolder.Factors());
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), ConfigPath, "rank_pattern: x64+", "more than 64");
    }

    [Test]
    public void RefusesConfigurationsThatAreNotStrictJson()
    {
        PeftFolder.Write(Folder, "{\"r\": 2, \"r\": 4}", PeftFolder.Factors());
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), ConfigPath, null, "not valid JSON");
        Folder.Write("adapter_config.json", "[]");
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), ConfigPath, null, "found a list of 0");
        Folder.Write("adapter_config.json", "{}");
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), ConfigPath, "peft_type", "missing");
        Folder.Write("adapter_config.json", "{\"\\ud800\": 1}");
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), ConfigPath, null, "not valid JSON");
    }

    [TestCase("base_model.model.x.lora_A.a.b.weight", "no LoRA factor")]
    [TestCase("base_model.model.x.lora_A.bias", "no LoRA factor")]
    [TestCase("base_model.model.x.lora_C.weight.lora_D", "no LoRA factor")]
    [TestCase("base_model.model.x.token_adapter.trainable_tokens_delta", "single tokens")]
    [TestCase("base_model.model.x.base_layer.weight", "base model")]
    [TestCase("base_model.model.experts.base_layer.lora_A.weight", "names 0 of it")]
    [TestCase("base_model.model..lora_A.weight", "names no module")]
    [TestCase("base_model.model.lora_A.weight", "names no module")]
    [TestCase("lora_A.weight", "names no module")]
    public void RefusesTensorsThatAreNoFactors(string name, string part)
    {
        PeftFolder.Write(Folder, PeftFolder.Config, [.. PeftFolder.Factors(),
            new SafetensorsEntry(name, TensorType.F32, [2, 4], new byte[32])]);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), WeightsPath, name, part);
    }

    [Test]
    public void RefusesFactorsThatDoNotFitEachOther()
    {
        void Expect(string tensor, string part, params SafetensorsEntry[] factors)
        {
            PeftFolder.Write(Folder, PeftFolder.Config, factors);
            Refusals.Expect(() => PeftAdapter.Read(Folder.Path), WeightsPath, PeftFolder.Prefix + tensor, part);
        }
        const string A = "q_proj.lora_A.weight";
        const string B = "q_proj.lora_B.weight";
        var a = PeftFolder.Factor(A, 2, 4);
        Expect(A, "no partner base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", a);
        Expect(B, "no partner", PeftFolder.Factor(B, 3, 2));
        Expect(B, "rank 3 in [2, 3], but its A [2, 4] has 2", a, PeftFolder.Factor(B, 2, 3));
        Expect(A, "gives the module r = 2", PeftFolder.Factor(A, 4, 4), PeftFolder.Factor(B, 3, 4));
        Expect(A, "at most 512", PeftFolder.Factor(A, 513, 4), PeftFolder.Factor(B, 3, 513));
        Expect(B, "is F64; expected F32, F16 or BF16", a, PeftFolder.Factor(B, 3, 2, TensorType.F64));
        Expect(A, "two dimensions of 1 or more", PeftFolder.Factor(A, 0, 4), PeftFolder.Factor(B, 3, 0));
        Expect(A, "shape [8]", new SafetensorsEntry(PeftFolder.Prefix + A, TensorType.F32, [8], new byte[32]),
            PeftFolder.Factor(B, 3, 2));
        PeftFolder.Write(Folder, PeftFolder.Config, []);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), WeightsPath, null, "no LoRA factors");
    }

    [Test]
    public void SaysWhatIsMissingFromTheFolder()
    {
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), Folder.Path, null, "no adapter_config.json");
        Folder.Write("adapter_config.json", PeftFolder.Config);
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), Folder.Path, null, "no adapter_model.safetensors");
        string pickle = Folder.Write("adapter_model.bin", new byte[] { 0x80, 2 });
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), pickle, null, "pickle", "safetensors");
        Refusals.Expect(() => PeftAdapter.Read(pickle), pickle, null, "is a file");
        string missing = Folder.Combine("missing");
        Refusals.Expect(() => PeftAdapter.Read(missing), missing, null, "no such folder");
    }

    [Test]
    public void GivesBackWhatItWrote()
    {
        static LoraFactors Factors(string module, long rank, float scale) => new(module,
            HostMatrix.From(Values(rank * 5), rank, 5), HostMatrix.From(Values(7 * rank), 7, rank), scale);
        static float[] Values(long count) => [.. Enumerable.Range(0, (int)count).Select(i => i * 0.37f)];
        // A name at the end of another, alike but for a dot, and scales that no decimal number holds exactly.
        var written = new LoraAdapter("support",
        [
            Factors("b.q", 3, 0.1f), Factors("a.b.q", 8, 2f), Factors("b.k", 8, 2f), Factors("c.b.k", 8, 1f / 3),
            Factors("x.v", 8, 2f), Factors("x-v", 512, MathF.PI), Factors("w", 1, -0.25f),
        ], "org/base \"7B\"");
        string folder = Folder.Combine("support");
        PeftAdapter.Write(folder, written);
        var read = PeftAdapter.Read(folder);
        Assert.Multiple(() =>
        {
            Assert.That(read.Name, Is.EqualTo("support"));
            Assert.That(read.BaseModel, Is.EqualTo(written.BaseModel));
            Assert.That(read.Factors, Has.Count.EqualTo(written.Factors.Count));
            foreach (var expected in written.Factors)
            {
                var found = read.Factors.Single(f => f.Module == expected.Module);
                Assert.That(found.Scale, Is.EqualTo(expected.Scale), expected.Module);
                Assert.That(found.A.Data.ToArray(), Is.EqualTo(expected.A.Data.ToArray()));
                Assert.That(found.B.Data.ToArray(), Is.EqualTo(expected.B.Data.ToArray()));
                Assert.That((found.A.Rows, found.B.Rows), Is.EqualTo((expected.A.Rows, expected.B.Rows)));
            }
        });
        using var config = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")));
        Assert.That(config.RootElement.GetProperty("r").GetInt32(), Is.EqualTo(8), "the usual rank");
        Assert.That(config.RootElement.GetProperty("lora_alpha").GetRawText(), Is.EqualTo("16"), "a whole number");
    }

    [Test]
    public void RefusesToWriteWhatPeftCannotDescribe()
    {
        var factors = new LoraFactors("m", HostMatrix.From(new float[2], 1, 2), HostMatrix.From(new float[2], 2, 1), 1);
        Assert.That(() => PeftAdapter.Write(Folder.Path, new LoraAdapter("a", [factors, factors])),
            Throws.ArgumentException.With.Message.Contains("twice"));
        Assert.That(() => PeftAdapter.Write(Folder.Path, new LoraAdapter("a", [])),
            Throws.ArgumentException.With.Message.Contains("no updates"));
        Assert.That(Directory.GetFiles(Folder.Path), Is.Empty);
    }
}
