using System.Text;
using LoraKernels.Checkpoints;
using LoraKernels.Tests.Bindings;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>
/// The golden checkpoints of every kind as a corpus, damaged: configurations and headers token by token, and bytes. What is
/// still read goes through the C ABI's packer too.
/// </summary>
public sealed class CheckpointMutationTests : FolderTests
{
    private const int Mutations = 250;

    private static readonly string[] Roots =
    [
        Path.Combine(Repository.Root, "tests", "golden", "checkpoints"),
        Path.Combine(Repository.Root, "tests", "golden", "quantize"),
    ];

    private static IEnumerable<string> Folders => Roots.SelectMany(root => Directory.EnumerateDirectories(root))
        .Where(p => File.Exists(Path.Combine(p, "model.safetensors"))).Select(p => Path.GetFileName(p)).Distinct().Order();

    [TestCaseSource(nameof(Folders))]
    public void SafetensorsFolder(string name)
    {
        string from = Roots.Select(root => Path.Combine(root, name)).First(Directory.Exists);
        byte[] weights = File.ReadAllBytes(Path.Combine(from, "model.safetensors"));
        int header = (int)BitConverter.ToUInt64(weights);
        string json = Encoding.UTF8.GetString(weights, 8, header);
        string[] configs = [.. Directory.GetFiles(from, "*.json").Select(p => Path.GetFileName(p))];
        using Device device = Device.OpenCpu();
        MutationRun.Check(SeedOf(name), Mutations, 8,
            random =>
            {
                int what = random.Next(3);
                foreach (string config in configs)
                {
                    string text = File.ReadAllText(Path.Combine(from, config));
                    Folder.Write(config, what == 0 ? JsonMutations.Mutate(random, text) : Encoding.UTF8.GetBytes(text));
                }
                Folder.Write("model.safetensors", what switch
                {
                    0 => weights,
                    1 => SafetensorsBytes.Of(JsonMutations.Mutate(random, json), weights[(8 + header)..]),
                    _ => ByteMutations.Mutate(random, weights),
                });
                return Directory.EnumerateFiles(Folder.Path).Sum(p => new FileInfo(p).Length);
            },
            () => Use(Folder.Path, device));
    }

    [Test]
    public void GgufFile()
    {
        byte[] original = File.ReadAllBytes(Path.Combine(Roots[0], "gguf", "model.gguf"));
        using Device device = Device.OpenCpu();
        MutationRun.Check(SeedOf("gguf"), 2 * Mutations, 12,
            random => new FileInfo(Folder.Write("model.gguf", ByteMutations.Mutate(random, original))).Length,
            () => Use(Folder.Combine("model.gguf"), device), objects: 17);
    }

    [Test]
    public void OnnxFile()
    {
        string from = Path.Combine(Roots[0], "onnx");
        byte[] original = File.ReadAllBytes(Path.Combine(from, "model.onnx"));
        byte[] data = File.ReadAllBytes(Path.Combine(from, "model.onnx.data"));
        using Device device = Device.OpenCpu();
        MutationRun.Check(SeedOf("onnx"), 2 * Mutations, 12,
            random =>
            {
                Folder.Write("model.onnx.data", random.Next(8) == 0 ? ByteMutations.Mutate(random, data) : data);
                Folder.Write("model.onnx", ByteMutations.Mutate(random, original));
                return Directory.EnumerateFiles(Folder.Path).Sum(p => new FileInfo(p).Length);
            },
            () => Use(Folder.Path, device));
    }

    private static void Use(string path, Device device)
    {
        using var checkpoint = Checkpoint.Open(path);
        foreach (var info in checkpoint.Weights)
        {
            var tensors = checkpoint.ReadWeight(info.Name);
            try
            {
                using var weight = QuantizedWeight.Pack(device, tensors);
                if ((weight.OutFeatures, weight.InFeatures) != (info.OutFeatures, info.InFeatures))
                    Assert.Fail($"{info.Name} is {weight}, not [{info.OutFeatures}, {info.InFeatures}]");
            }
            catch (LoraKernelsException e) when (e.Status is LoraKernelsStatus.InvalidArgument)
            {
                // Contents that the format does not allow: told by the packer.
                throw new CheckpointException(path, info.Name, e.Message, e);
            }
        }
    }

    // The same everywhere: string.GetHashCode is not.
    private static int SeedOf(string name) => 300_000 + 10_000 * name.Sum(c => c) % 1_000_000;
}
