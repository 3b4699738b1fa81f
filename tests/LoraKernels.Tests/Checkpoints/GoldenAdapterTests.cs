using System.Text.Json;
using LoraKernels.Checkpoints;
using LoraKernels.Tests.Bindings;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>The adapters of tests/golden/adapters, made and computed by a script that shares nothing with the library.</summary>
public sealed class GoldenAdapterTests
{
    private const int InFeatures = 32;
    private const int OutFeatures = 6;
    private const double Limit = 1e-5;

    private static string Root => Path.Combine(Repository.Root, "tests", "golden", "adapters");

    private static IEnumerable<string> Folders => Directory.EnumerateDirectories(Root).Select(p => Path.GetFileName(p)).Order();

    [TestCaseSource(nameof(Folders))]
    public void ComputesWhatItsWriterWould(string name)
    {
        string folder = Path.Combine(Root, name);
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")));
        JsonElement expected = json.RootElement;
        string gguf = Path.Combine(folder, "adapter.gguf");
        LoraAdapter adapter = File.Exists(gguf) ? GgufAdapter.Read(gguf) : PeftAdapter.Read(folder);
        JsonProperty[] modules = [.. expected.GetProperty("modules").EnumerateObject()];
        string[] saved = Names(expected, "saved"), embeddings = Names(expected, "embeddings");

        Assert.That(adapter.Factors.Where(f => !f.IsEmbedding).Select(f => f.Module), Is.EqualTo(modules.Select(m => m.Name).Order(StringComparer.Ordinal)));
        Assert.That(adapter.Factors.Where(f => f.IsEmbedding).Select(f => f.Module), Is.EqualTo(embeddings));
        Assert.That(adapter.SavedModules.Select(m => m.Name), Is.EqualTo(saved));

        using Device device = Device.OpenCpu();
        using QuantizedWeight weight = QuantizedWeight.Pack(device, new WeightTensors
        {
            Format = WeightFormat.GgufQ4_0,
            OutFeatures = OutFeatures,
            InFeatures = InFeatures,
            GroupSize = 32,
            Codes = Convert.FromHexString(expected.GetProperty("weight_q4_0").GetString()!),
        });
        using var table = new LoraTable(device, modules.Select(m => new LoraModule(m.Name, InFeatures, OutFeatures)), "example/tiny");
        using LoadedAdapter loaded = table.Add(
            adapter, new AdapterOptions { BaseWeight = _ => weight, AppliedElsewhere = [.. saved, .. embeddings] });
        float[] x = [.. expected.GetProperty("x").EnumerateArray().SelectMany(Row).Select(v => (float)v)];
        using DeviceTensor<float> input = device.Upload<float>(x, 2, InFeatures), output = device.Allocate<float>(2, OutFeatures);
        using LoraBatch batch = table.CreateBatch(LoraBatchCapacity.ForRows(2, 16));
        batch.Set([loaded, loaded]);
        foreach (JsonProperty module in modules)
        {
            LoraFactors factors = adapter.Factors.Single(f => f.Module == module.Name);
            Assert.That(factors.Rank, Is.EqualTo(module.Value.GetProperty("rank").GetInt64()));
            Assert.That(factors.Scale, Is.EqualTo((float)module.Value.GetProperty("scale").GetDouble()));
            new Linear(weight, module.Name).Forward(input, batch, output);
            double[] y = [.. module.Value.GetProperty("y").EnumerateArray().SelectMany(Row)];
            Assert.That(VerificationError.Relative(output.ToArray(), y), Is.LessThan(Limit), module.Name);
        }
    }

    private static IEnumerable<double> Row(JsonElement row) => row.EnumerateArray().Select(v => v.GetDouble());

    private static string[] Names(JsonElement expected, string field) =>
        expected.TryGetProperty(field, out JsonElement names) ? [.. names.EnumerateArray().Select(n => n.GetString()!)] : [];
}
