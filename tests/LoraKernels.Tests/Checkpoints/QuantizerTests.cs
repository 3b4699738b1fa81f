using System.Runtime.InteropServices;
using System.Text.Json;
using LoraKernels.Checkpoints;
using LoraKernels.Tests.Bindings;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Whole models quantized, against tests/golden/quantize and what else must hold of the new folder.</summary>
public sealed class QuantizerTests : FolderTests
{
    private static readonly string Golden = Path.Combine(Repository.Root, "tests", "golden", "quantize");
    private static readonly string Source = Path.Combine(Golden, "source");

    private Device _device = null!;

    private static IEnumerable<TestCaseData> Formats =>
    [
        new("nf4", QuantizeOptions.Nf4(nested: false)),
        new("nf4-nested", QuantizeOptions.Nf4()),
        new("fp4-nested", QuantizeOptions.Fp4()),
        new("int4", QuantizeOptions.Int4(32)),
        new("int4-zero-points", QuantizeOptions.Int4(32, zeroPoints: true)),
    ];

    [SetUp]
    public void Open() => _device = Device.OpenCpu();

    [TearDown]
    public void Close() => _device.Dispose();

    [TestCaseSource(nameof(Formats))]
    public void EveryTensorHasTheBytesOfTheIndependentScript(string folder, QuantizeOptions options)
    {
        string output = Folder.Combine(folder);
        new CheckpointQuantizer(options).Run(Source, output, _device);

        using var expected = SafetensorsFile.Open(Path.Combine(Golden, folder, "model.safetensors"));
        var shards = Directory.GetFiles(output, "*.safetensors").Select(SafetensorsFile.Open).ToArray();
        try
        {
            Assert.That(shards.SelectMany(s => s.Tensors.Select(t => t.Name)),
                Is.EquivalentTo(expected.Tensors.Select(t => t.Name)));
            foreach (var shard in shards)
            {
                foreach (var tensor in shard.Tensors)
                {
                    var other = expected.Find(tensor.Name)!;
                    Assert.That(tensor.Type, Is.EqualTo(other.Type), tensor.Name);
                    Assert.That(tensor.Offset % TensorLayout.Of(tensor.Type).BlockBytes, Is.Zero, tensor.Name);
                    if (tensor.Name.Contains("quant_state", StringComparison.Ordinal))
                    {
                        AssertContains(Json(shard.Read(tensor.Name)), Json(expected.Read(other.Name)), tensor.Name);
                        continue;
                    }
                    Assert.That(tensor.Shape, Is.EqualTo(other.Shape), tensor.Name);
                    Assert.That(shard.Read(tensor.Name), Is.EqualTo(expected.Read(other.Name)), tensor.Name);
                }
            }
        }
        finally
        {
            foreach (var shard in shards) shard.Dispose();
        }
    }

    [TestCaseSource(nameof(Formats))]
    public void TheReaderDecodesWhatWasWrittenToTheScriptsValues(string folder, QuantizeOptions options)
    {
        string output = Folder.Combine(folder);
        new CheckpointQuantizer(options).Run(Source, output, _device);
        using var checkpoint = Checkpoint.Open(output);
        string[] names = [.. Directory.GetFiles(Path.Combine(Golden, folder), "*.f32").Select(f => Path.GetFileNameWithoutExtension(f))];

        Assert.That(checkpoint.Weights.Select(w => w.Name), Is.EquivalentTo(names));
        Assert.That(checkpoint.BaseModelName, Is.EqualTo("lorakernels/tiny"));
        foreach (string name in names)
        {
            float[] decoded = ReferenceBridge.Weight(checkpoint.ReadWeight(name)).Decode();
            byte[] expected = File.ReadAllBytes(Path.Combine(Golden, folder, name + ".f32"));
            // Zeros of either sign are one: -0 is 0 times a negative level.
            Assert.That(decoded, Is.EqualTo(MemoryMarshal.Cast<byte, float>(expected).ToArray()), name);
            using var weight = checkpoint.LoadWeight(name, _device);
            using var values = _device.Allocate<float>(weight.OutFeatures, weight.InFeatures);
            weight.Dequantize(values);
            Assert.That(values.ToArray(), Is.EqualTo(decoded), name);
        }
    }

    [TestCaseSource(nameof(Formats))]
    public void TheFolderSaysHowItIsQuantizedAndHasAllElse(string folder, QuantizeOptions options)
    {
        string output = Folder.Combine(folder);
        var result = new CheckpointQuantizer(options).Run(Source, output, _device);

        Assert.That(Directory.GetFiles(output).Select(Path.GetFileName), Is.EquivalentTo((string[])
            ["config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                "model.safetensors.index.json", "tokenizer.json"]));
        var config = Json(File.ReadAllBytes(Path.Combine(output, "config.json")));
        AssertContains(config, Json(File.ReadAllBytes(Path.Combine(Golden, folder, "config.json"))), "config.json");
        var quantization = config.GetProperty("quantization_config");
        var kept = quantization.GetProperty(options.Format == WeightFormat.Int4Packed ? "ignore" : "llm_int8_skip_modules");
        Assert.That(kept.EnumerateArray().Select(e => e.GetString()), Is.EqualTo(result.Kept.Select(k => k.Name)));
        Assert.That(result.Kept.Select(k => k.Name), Is.SupersetOf((string[])["model.embed_tokens", "lm_head"]));
        Assert.That(File.ReadAllText(Path.Combine(output, "tokenizer.json")),
            Is.EqualTo(File.ReadAllText(Path.Combine(Source, "tokenizer.json"))));
        long bytes = Directory.GetFiles(output, "*.safetensors").Sum(f =>
        {
            using var shard = SafetensorsFile.Open(f);
            return shard.Tensors.Sum(t => t.Bytes);
        });
        Assert.That(result.Bytes, Is.EqualTo(bytes));
        Assert.That(Json(File.ReadAllBytes(Path.Combine(output, "model.safetensors.index.json")))
            .GetProperty("metadata").GetProperty("total_size").GetInt64(), Is.EqualTo(bytes));
    }

    [TestCaseSource(nameof(Formats))]
    public void ErrorsAreThoseOfTheValuesWritten(string folder, QuantizeOptions options)
    {
        string output = Folder.Combine(folder);
        var result = new CheckpointQuantizer(options).Run(Source, output, _device);
        using var before = Checkpoint.Open(Source);
        foreach (var module in result.Modules)
        {
            var tensor = before.Tensors.Single(t => t.Name == module.Name + ".weight");
            float[] weights = new HostMatrix(before.ReadTensor(tensor.Name), tensor.Shape[0], tensor.Shape[1],
                LayerTensors.DTypeOf(tensor)).ToSingles();
            float[] decoded = MemoryMarshal.Cast<byte, float>(
                File.ReadAllBytes(Path.Combine(Golden, folder, module.Name + ".f32"))).ToArray();
            double[] differences = [.. weights.Zip(decoded, (w, d) => (double)d - w)];
            double worst = 0;
            for (int begin = 0; begin < weights.Length; begin += (int)options.GroupSize)
            {
                int end = (int)Math.Min(begin + options.GroupSize, weights.Length);
                worst = Math.Max(worst, Relative(differences[begin..end], weights[begin..end]));
            }

            Assert.That(module.Error.MaxAbsolute, Is.EqualTo(differences.Max(Math.Abs)).Within(1e-7), module.Name);
            Assert.That(module.Error.RelativeRms, Is.EqualTo(Relative(differences, weights)).Within(1e-6), module.Name);
            Assert.That(module.Error.WorstRelativeRms, Is.EqualTo(worst).Within(1e-6), module.Name);
            long at = module.Error.WorstRow * module.InFeatures + module.Error.WorstColumn;
            Assert.That(at % options.GroupSize, Is.Zero);
            int first = (int)at, last = (int)Math.Min(at + options.GroupSize, weights.Length);
            Assert.That(Relative(differences[first..last], weights[first..last]), Is.EqualTo(worst).Within(1e-6));
            Assert.That((module.OutFeatures, module.InFeatures), Is.EqualTo((tensor.Shape[0], tensor.Shape[1])));
        }

        static double Relative(double[] differences, float[] weights)
        {
            double sum = weights.Sum(w => (double)w * w);
            return sum == 0 ? 0 : Math.Sqrt(differences.Sum(d => d * d) / sum);
        }
    }

    [Test]
    public void PatternsChooseModules()
    {
        Assert.That(Names(new ModuleSelection { Exclude = ["model.layers.1.*"] }),
            Is.EqualTo((string[])["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.down_proj"]).AsCollection);
        Assert.That(Names(new ModuleSelection { Include = ["down_proj"] }),
            Is.EqualTo((string[])["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"]).AsCollection);
        Assert.That(Names(new ModuleSelection { Include = ["lm_head", "q_proj"], Exclude = ["layers.?.self_attn*"] }),
            Is.EqualTo((string[])["lm_head"]).AsCollection);
        Assert.That(() => Names(new ModuleSelection { Include = ["nothing"] }),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("nothing to be quantized").And.Message.Contains("not included"));

        IEnumerable<string> Names(ModuleSelection selection)
        {
            string output = Folder.Combine(Guid.NewGuid().ToString("N"));
            return new CheckpointQuantizer(QuantizeOptions.Nf4(), selection).Run(Source, output, _device).Modules
                .Select(m => m.Name).OrderByDescending(n => n.Contains("layers.0", StringComparison.Ordinal))
                .ThenByDescending(n => n, StringComparer.Ordinal).ToArray();
        }
    }

    [Test]
    public void WhatIsThereIsNotTouched()
    {
        var quantizer = new CheckpointQuantizer(QuantizeOptions.Nf4());
        string file = Folder.Write("file", "text"), full = Folder.Combine("full"), empty = Folder.Combine("empty");
        Directory.CreateDirectory(full);
        File.WriteAllText(Path.Combine(full, "mine"), "text");
        Directory.CreateDirectory(empty);

        Assert.That(() => quantizer.Run(Source, file, _device), Refused("is a file"));
        Assert.That(() => quantizer.Run(Source, full, _device), Refused("not empty"));
        Assert.That(Directory.GetFiles(full), Has.Length.EqualTo(1));
        quantizer.Run(Source, empty, _device);
        Assert.That(File.Exists(Path.Combine(empty, "config.json")));
    }

    [Test]
    public void NothingIsLeftOfARunThatFailsOrIsCancelled()
    {
        string model = Folder.Combine("model"), output = Folder.Combine("output");
        Directory.CreateDirectory(model);
        float[] weights = new float[3 * 64];
        weights[64 + 5] = float.NaN;
        SafetensorsWriter.Write(Path.Combine(model, "model.safetensors"),
        [
            new("a.weight", TensorType.F32, [3, 64], new byte[3 * 64 * 4]),
            new("b.weight", TensorType.F32, [3, 64], MemoryMarshal.AsBytes<float>(weights).ToArray()),
        ]);
        var quantizer = new CheckpointQuantizer(QuantizeOptions.Nf4());
        Assert.That(() => quantizer.Run(model, output, _device), Refused("b.weight", "[1, 5]"));

        using var cancellation = new CancellationTokenSource();
        Assert.That(() => quantizer.Run(Source, output, _device, new CancelAt(3, cancellation), cancellation.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Directory.GetFileSystemEntries(Folder.Path), Is.EqualTo((string[])[model]));
    }

    [Test]
    public void OnlyModelsOfNumbersInSafetensorsAreTaken()
    {
        string golden = Path.Combine(Repository.Root, "tests", "golden", "checkpoints");
        var quantizer = new CheckpointQuantizer(QuantizeOptions.Nf4());
        Assert.That(() => quantizer.Run(Path.Combine(golden, "gguf"), Folder.Combine("o"), _device), Refused("GGUF"));
        Assert.That(() => quantizer.Run(Path.Combine(golden, "awq"), Folder.Combine("o"), _device),
            Refused("quantized already", "Awq"));
        Assert.That(() => new CheckpointQuantizer(new QuantizeOptions { Format = WeightFormat.Gptq, GroupSize = 32 }),
            Throws.ArgumentException.With.Message.Contains("Gptq"));
        Assert.That(() => new CheckpointQuantizer(QuantizeOptions.Int4() with { ScaleDType = DType.Float32 }),
            Throws.ArgumentException.With.Message.Contains("ScaleDType"));
    }

    [Test]
    public void ProgressGoesThroughEveryTensorOnce()
    {
        var seen = new List<QuantizeProgress>();
        new CheckpointQuantizer(QuantizeOptions.Nf4()).Run(Source, Folder.Combine("o"), _device, new Collect(seen));
        using var checkpoint = Checkpoint.Open(Source);

        Assert.That(seen.Select(p => p.Name), Is.EquivalentTo(checkpoint.Tensors.Select(t => t.Name)));
        Assert.That(seen.Select(p => p.Bytes), Is.Ordered);
        Assert.That(seen.Select(p => p.TotalBytes), Is.All.EqualTo(checkpoint.Tensors.Sum(t => t.Bytes)));
    }

    private static NUnit.Framework.Constraints.ContainsConstraint Refused(params string[] words)
    {
        var constraint = Throws.TypeOf<CheckpointException>().With.Message.Contains(words[0]);
        foreach (string word in words[1..]) constraint = constraint.And.Message.Contains(word);
        return constraint;
    }

    private static JsonElement Json(byte[] text) => JsonDocument.Parse(text).RootElement;

    /// <summary>Everything that the expected JSON says, the actual one says too.</summary>
    private static void AssertContains(JsonElement actual, JsonElement expected, string place)
    {
        if (expected.ValueKind != JsonValueKind.Object)
        {
            Assert.That(JsonElement.DeepEquals(actual, expected), $"{place}: is {actual}, not {expected}");
            return;
        }
        foreach (var property in expected.EnumerateObject())
        {
            Assert.That(actual.TryGetProperty(property.Name, out var value), $"{place}: has no {property.Name}");
            AssertContains(value, property.Value, $"{place}.{property.Name}");
        }
    }

    private sealed class CancelAt(int count, CancellationTokenSource cancellation) : IProgress<QuantizeProgress>
    {
        private int _seen;

        public void Report(QuantizeProgress value)
        {
            if (++_seen == count) cancellation.Cancel();
        }
    }

    private sealed class Collect(List<QuantizeProgress> seen) : IProgress<QuantizeProgress>
    {
        public void Report(QuantizeProgress value) => seen.Add(value);
    }
}
