using System.Runtime.InteropServices;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Updates of experts' stacked weights (<c>target_parameters</c>), by PEFT's formula.</summary>
public sealed class PeftParametersTests : FolderTests
{
    private const string Module = "model.layers.1.mlp.experts";
    private const string Prefix = "base_model.model." + Module;
    private const int Experts = 3, Rank = 2, Hidden = 5, Intermediate = 4;

    private string WeightsPath => Folder.Combine("adapter_model.safetensors");

    /// <summary>Whichever of the two PEFT wrapped first, and whichever way round the model stacks them.</summary>
    [TestCase(false, false), TestCase(false, true), TestCase(true, false), TestCase(true, true)]
    public void ReadsGateUpAndDown(bool transposed, bool downInside)
    {
        var gateUp = Factors(1, Hidden, 2 * Intermediate, transposed);
        var down = Factors(2, Intermediate, Hidden, transposed);
        Write(["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
            [.. Entries(downInside ? gateUp : down, ""), .. Entries(downInside ? down : gateUp, ".base_layer")]);
        var read = PeftAdapter.Read(Folder.Path).Factors.ToDictionary(f => f.Module);
        Assert.That(read, Has.Count.EqualTo(2 * Experts));
        foreach (var (name, factors, rows, columns) in new[]
            { ("gate_up_proj", gateUp, 2 * Intermediate, Hidden), ("down_proj", down, Hidden, Intermediate) })
        {
            for (int expert = 0; expert < Experts; expert++)
            {
                var update = read[$"{Module}.{name}.{expert}"];
                Assert.That((update.B.Rows, update.A.Columns, update.Rank, update.Scale), Is.EqualTo((rows, columns, Rank, 8f)));
                Assert.That(Product(update), Is.EqualTo(Delta(factors, expert, transposed)).Within(1e-6f), update.Module);
            }
        }
    }

    [Test]
    public void AMatrixIsAModuleOfItsOwn()
    {
        Write(["mlp.router.weight", "norm.gain"], [Entry("base_model.model.mlp.router.lora_A.weight", 2, 4),
            Entry("base_model.model.mlp.router.lora_B.weight", 3, 2), Entry("base_model.model.x.norm.lora_A.weight", 2, 4),
            Entry("base_model.model.x.norm.lora_B.weight", 3, 2)]);
        Assert.That(PeftAdapter.Read(Folder.Path).Factors.Select(f => f.Module), Is.EqualTo((string[])["mlp.router", "x.norm.gain"]));
    }

    [Test]
    public void RefusesWhatTheFileDoesNotTell()
    {
        void Expect(string[] parameters, SafetensorsEntry[] entries, string? tensor, params string[] parts)
        {
            Write(parameters, entries);
            Refusals.Expect(() => PeftAdapter.Read(Folder.Path), WeightsPath, tensor, parts);
        }
        string a = $"{Prefix}.lora_A.weight", b = $"{Prefix}.lora_B.weight";
        string[] down = ["experts.down_proj"];
        Expect(down, [Entry(a, 6, 4), Entry(b, 4, 6)], a, "as many in as out features (4)");
        Expect(down, [Entry(a, 5, 4), Entry(b, 3, 5)], a, "5 rows", "experts.down_proj', 2");
        Expect(down, [Entry(a, 6, 4), Entry(b, 3, 4)], b, "4 columns", "6 rows");
        Expect(down, [Entry(a, 6, 4)], a, "no partner lora_B");
        Expect(down, [Entry(a, 6, 4), Entry(b, 3, 6), Entry($"{Prefix}.base_layer.lora_A.weight", 6, 4)], a, "one of 2 parameters", "names 1");
        Expect(["experts.w1", "experts.w2"],
            [Entry(a, 6, 4), Entry(b, 3, 6), Entry($"{Prefix}.base_layer.lora_A.weight", 6, 4)], a, "(w1, w2)", "does not tell of which");
        Expect(["experts.gate_up_proj", "experts.down_proj"],
            [Entry(a, 6, 4), Entry(b, 3, 6), Entry($"{Prefix}.base_layer.lora_A.weight", 6, 4), Entry($"{Prefix}.base_layer.lora_B.weight", 3, 6)],
            a, "shapes of no gate_up_proj and down_proj", "[6, 4], [3, 6]");
        Expect(down, [Entry(a, 6, 4), Entry(b, 3, 6), Entry($"{Prefix}.base_layer.base_layer.lora_A.weight", 6, 4)],
            $"{Prefix}.base_layer.base_layer.lora_A.weight", "changes nothing");
    }

    [TestCase("[\"down_proj\"]", "'down_proj'", "module's before it"), TestCase("[1]", "is 1", "module's before it")]
    [TestCase("\"all\"", "'all'", "a list")]
    public void RefusesNamesThatSayTooLittle(string list, params string[] parts)
    {
        Folder.Write("adapter_config.json", PeftFolder.Config.TrimEnd()[..^1] + $", \"target_parameters\": {list}}}");
        SafetensorsWriter.Write(WeightsPath, PeftFolder.Factors());
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), Folder.Combine("adapter_config.json"), "target_parameters", parts);
    }

    [TestCase("use_dora"), TestCase("lora_bias")]
    public void RefusesVariantsThatPeftDoesNotDefine(string field)
    {
        Write(["experts.down_proj"], PeftFolder.Factors());
        string config = File.ReadAllText(Folder.Combine("adapter_config.json"));
        Folder.Write("adapter_config.json", config.Replace($"\"{field}\": false", $"\"{field}\": true", StringComparison.Ordinal));
        Refusals.Expect(() => PeftAdapter.Read(Folder.Path), Folder.Combine("adapter_config.json"), "target_parameters", field);
    }

    // Of a parameter [experts, first, second]; where it lies transposed, first are the out features.
    private static (float[] A, float[] B, int First, int Second) Factors(int seed, int inFeatures, int outFeatures, bool transposed)
    {
        var random = new Random(seed);
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)random.Next(-8, 9) / 8)];
        (int first, int second) = transposed ? (outFeatures, inFeatures) : (inFeatures, outFeatures);
        return (Values(Experts * Rank * first), Values(second * Rank * Experts), first, second);
    }

    // PEFT: delta[e, i, o] = sum over r of B[o, r, e] A[e, r, i]; here as [out, in].
    private static float[] Delta((float[] A, float[] B, int First, int Second) factors, int e, bool transposed)
    {
        float At(int i, int o) => Enumerable.Range(0, Rank).Sum(r =>
            factors.B[(o * Rank + r) * Experts + e] * factors.A[(e * Rank + r) * factors.First + i]);
        return transposed
            ? [.. Enumerable.Range(0, factors.First).SelectMany(i => Enumerable.Range(0, factors.Second).Select(o => At(i, o)))]
            : [.. Enumerable.Range(0, factors.Second).SelectMany(o => Enumerable.Range(0, factors.First).Select(i => At(i, o)))];
    }

    private static float[] Product(LoraFactors factors)
    {
        float[] a = factors.A.ToSingles(), b = factors.B.ToSingles();
        (int rank, int columns) = ((int)factors.Rank, (int)factors.A.Columns);
        return [.. Enumerable.Range(0, (int)factors.B.Rows).SelectMany(n => Enumerable.Range(0, columns).Select(k =>
            Enumerable.Range(0, rank).Sum(r => b[n * rank + r] * a[r * columns + k])))];
    }

    private static SafetensorsEntry[] Entries((float[] A, float[] B, int First, int Second) factors, string wrapper) =>
    [
        new($"{Prefix}{wrapper}.lora_A.weight", TensorType.F32, [Experts * Rank, factors.First], MemoryMarshal.AsBytes<float>(factors.A).ToArray()),
        new($"{Prefix}{wrapper}.lora_B.weight", TensorType.F32, [factors.Second, Rank * Experts], MemoryMarshal.AsBytes<float>(factors.B).ToArray()),
    ];

    private static SafetensorsEntry Entry(string name, int rows, int columns) =>
        new(name, TensorType.F32, [rows, columns], new byte[rows * columns * sizeof(float)]);

    private void Write(string[] parameters, SafetensorsEntry[] entries)
    {
        string list = string.Join(", ", parameters.Select(p => $"\"{p}\""));
        PeftFolder.Write(Folder, PeftFolder.Config.TrimEnd()[..^1] + $", \"target_parameters\": [{list}]}}", entries);
    }
}
