using System.Text;
using LoraKernels.Checkpoints;
using LoraKernels.Checkpoints.IO;
using LoraKernels.Tests.Bindings;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>
/// The golden checkpoints of every kind as a corpus, damaged: configurations and headers token by token, tensors in what they
/// are and hold, and bytes. What is still read goes through the C ABI's packer too.
/// </summary>
public sealed class CheckpointMutationTests : FolderTests
{
    private const int Mutations = 250;
    private const string Weights = "model.safetensors";

    private static readonly string[] Roots =
    [
        Path.Combine(Repository.Root, "tests", "golden", "checkpoints"),
        Path.Combine(Repository.Root, "tests", "golden", "quantize"),
    ];

    /// <summary>Every reader of weights in safetensors, and the folders that are its corpus.</summary>
    private static readonly Dictionary<string, string[]> Corpora = new()
    {
        ["bitsandbytes"] = ["bitsandbytes-fp4", "bitsandbytes-nf4", "bitsandbytes-nf4-nested", "nf4", "nf4-nested", "fp4-nested"],
        ["gptq"] = ["gptq", "gptq-act-order", "gptq-row", "gptq-v2"],
        ["awq"] = ["awq"],
        ["compressed-tensors"] = ["compressed-tensors", "nvfp4-compressed-tensors", "int4", "int4-zero-points"],
        ["modelopt"] = ["nvfp4-modelopt"],
        ["hqq"] = ["hqq"],
        ["gpt-oss"] = ["gpt-oss"],
    };

    private static IEnumerable<string> Readers => Corpora.Keys;

    private static IEnumerable<string> Folders => Roots.SelectMany(root => Directory.EnumerateDirectories(root))
        .Where(p => File.Exists(Path.Combine(p, Weights))).Select(p => Path.GetFileName(p)).Order();

    private readonly Device _device = Device.OpenCpu();

    [TearDown]
    public void Close() => _device.Dispose();

    [Test]
    public void EveryGoldenFolderIsInACorpus() =>
        Assert.That(Corpora.Values.SelectMany(folders => folders), Is.EquivalentTo(Folders));

    /// <summary>Tensors and configurations in memory: all that lies behind the file's own checks.</summary>
    [TestCaseSource(nameof(Readers))]
    public void TensorsAndConfigurations(string reader)
    {
        (MemoryTensor[] Tensors, (string Name, string Text)[] Configs)[] corpus = [.. Corpora[reader].Select(PathOf).Select(from =>
            (MemoryTensor.Of(Path.Combine(from, Weights)),
            Directory.GetFiles(from, "*.json").Select(p => (Path.GetFileName(p), File.ReadAllText(p))).ToArray()))];
        List<MemoryTensor> tensors = [];
        Dictionary<string, byte[]> configs = [];
        MutationRun.Check(SeedOf(reader), 4 * Mutations, 12,
            random =>
            {
                var from = corpus[random.Next(corpus.Length)];
                bool config = from.Configs.Length > 0 && random.Next(4) == 0;
                tensors = config ? [.. from.Tensors] : TensorMutations.Mutate(random, from.Tensors);
                configs = from.Configs.ToDictionary(
                    c => c.Name, c => config ? JsonMutations.Mutate(random, c.Text) : Encoding.UTF8.GetBytes(c.Text));
                return tensors.Sum(t => (long)t.Data.Length) + configs.Values.Sum(c => (long)c.Length);
            },
            () =>
            {
                var source = new MemorySource(tensors);
                var config = QuantizationConfig.Of(name => !configs.TryGetValue(name, out byte[]? json) ? null
                    : (name, JsonFile.Parse(name, null, json)));
                foreach (var entry in WeightReaders.Find(source, config).Entries)
                    Pack(source.Path, entry.Info, entry.Read(part => part.Runs.Of(source.Read(part.Tensor))));
            },
            8 * MutationRun.AllowedPerObject);
    }

    /// <summary>The files themselves.</summary>
    [TestCaseSource(nameof(Folders))]
    public void SafetensorsFolder(string name)
    {
        string from = PathOf(name);
        byte[] weights = File.ReadAllBytes(Path.Combine(from, Weights));
        int header = (int)BitConverter.ToUInt64(weights);
        string json = Encoding.UTF8.GetString(weights, 8, header);
        (string Name, string Text)[] configs =
            [.. Directory.GetFiles(from, "*.json").Select(p => (Path.GetFileName(p), File.ReadAllText(p)))];
        MutationRun.Check(SeedOf(name), Mutations, 8,
            random =>
            {
                int what = random.Next(3);
                foreach (var (file, text) in configs)
                    Folder.Write(file, what == 0 ? JsonMutations.Mutate(random, text) : Encoding.UTF8.GetBytes(text));
                Folder.Write(Weights, what switch
                {
                    0 => weights,
                    1 => SafetensorsBytes.Of(JsonMutations.Mutate(random, json), weights[(8 + header)..]),
                    _ => ByteMutations.Mutate(random, weights),
                });
                return Directory.EnumerateFiles(Folder.Path).Sum(p => new FileInfo(p).Length);
            },
            () => Use(Folder.Path));
    }

    [Test]
    public void GgufFile()
    {
        byte[] original = File.ReadAllBytes(Path.Combine(Roots[0], "gguf", "model.gguf"));
        var fields = GgufFields.Of(original);
        string path = Folder.Combine("model.gguf");
        MutationRun.Check(SeedOf("gguf"), 2 * Mutations, 12,
            random => Written(path, random.Next(2) == 0
                ? ByteMutations.Mutate(random, original)
                : ByteMutations.MutateField(random, original, fields)),
            () => Use(path), 17 * MutationRun.AllowedPerObject);
    }

    [Test]
    public void OnnxFile()
    {
        string from = Path.Combine(Roots[0], "onnx");
        byte[] original = File.ReadAllBytes(Path.Combine(from, "model.onnx"));
        byte[] data = File.ReadAllBytes(Path.Combine(from, "model.onnx.data"));
        var fields = new ProtobufMutations(original);
        string dataPath = Folder.Write("model.onnx.data", data);
        bool damaged = false;
        MutationRun.Check(SeedOf("onnx"), 2 * Mutations, 20,
            random =>
            {
                bool damage = random.Next(8) == 0;
                if (damage || damaged) Written(dataPath, damage ? ByteMutations.Mutate(random, data) : data);
                damaged = damage;
                return data.Length + Written(Folder.Combine("model.onnx"), random.Next(3) == 0
                    ? ByteMutations.Mutate(random, original)
                    : fields.Mutate(random));
            },
            () => Use(Folder.Combine("model.onnx")), 8 * MutationRun.AllowedPerObject);
    }

    private static long Written(string path, byte[] bytes)
    {
        File.WriteAllBytes(path, bytes);
        return bytes.Length;
    }

    private static string PathOf(string folder) => Roots.Select(root => Path.Combine(root, folder)).First(Directory.Exists);

    private void Use(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        foreach (var info in checkpoint.Weights) Pack(path, info, checkpoint.ReadWeight(info.Name));
    }

    private void Pack(string path, WeightInfo info, WeightTensors tensors)
    {
        try
        {
            using var weight = QuantizedWeight.Pack(_device, tensors);
            if ((weight.OutFeatures, weight.InFeatures) != (info.OutFeatures, info.InFeatures))
                Assert.Fail($"{info.Name} is {weight}, not [{info.OutFeatures}, {info.InFeatures}]");
        }
        catch (LoraKernelsException e) when (e.Status is LoraKernelsStatus.InvalidArgument)
        {
            // Contents that the format does not allow: told by the packer.
            throw new CheckpointException(path, info.Name, e.Message, e);
        }
    }

    // The same everywhere: string.GetHashCode is not.
    private static int SeedOf(string name) => 300_000 + 10_000 * name.Sum(c => c) % 1_000_000;
}
