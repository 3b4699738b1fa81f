using System.Text;
using LoraKernels.Checkpoints;
using LoraKernels.Tests.Bindings;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>
/// The golden adapters of every writer as a corpus, damaged: configurations token by token, tensors in what they are
/// and hold, and bytes.
/// </summary>
public sealed class AdapterMutationTests : FolderTests
{
    private const int Mutations = 300;
    private const string Config = "adapter_config.json";
    private const string Weights = "adapter_model.safetensors";

    private static string Golden => Path.Combine(Repository.Root, "tests", "golden", "adapters");

    private static IEnumerable<string> PeftFolders => Directory.EnumerateDirectories(Golden)
        .Where(p => File.Exists(Path.Combine(p, Config))).Order();

    [Test]
    public void PeftFolder()
    {
        (string Config, byte[] Weights, MemoryTensor[] Tensors)[] corpus = [.. PeftFolders.Select(folder => (
            File.ReadAllText(Path.Combine(folder, Config)), File.ReadAllBytes(Path.Combine(folder, Weights)),
            MemoryTensor.Of(Path.Combine(folder, Weights))))];
        MutationRun.Check(200_000, Mutations * corpus.Length, 40,
            random =>
            {
                var (config, weights, tensors) = corpus[random.Next(corpus.Length)];
                int what = random.Next(5);
                byte[] json = what is 0 or 1 ? JsonMutations.Mutate(random, config) : Encoding.UTF8.GetBytes(config);
                byte[] file = what switch
                {
                    0 or 1 => weights,
                    2 or 3 => SafetensorsBytes.Of(TensorMutations.Mutate(random, tensors)),
                    _ => ByteMutations.Mutate(random, weights),
                };
                Folder.Write(Config, json);
                Folder.Write(Weights, file);
                return json.Length + file.Length;
            },
            () => Use(PeftAdapter.Read(Folder.Path)),
            3 * MutationRun.AllowedPerExpression);
    }

    [Test]
    public void GgufFile()
    {
        byte[] original = File.ReadAllBytes(Path.Combine(Golden, "llama-cpp", "adapter.gguf"));
        var fields = GgufFields.Of(original);
        string path = Folder.Combine("adapter.gguf");
        MutationRun.Check(250_000, 4 * Mutations, 20,
            random =>
            {
                byte[] file = random.Next(2) == 0
                    ? ByteMutations.Mutate(random, original)
                    : ByteMutations.MutateField(random, original, fields);
                Folder.Write("adapter.gguf", file);
                return file.Length;
            },
            () =>
            {
                if (GgufAdapter.IsAdapter(path)) Use(GgufAdapter.Read(path));
                else throw new CheckpointException(path, "general.type", "is no adapter any more");
            });
    }

    /// <summary>What was read is whole: shapes that fit each other, and names that one line holds.</summary>
    private static void Use(LoraAdapter adapter)
    {
        foreach (LoraFactors factors in adapter.Factors)
        {
            bool usable = factors.Rank is >= 1 and <= PeftAdapter.MaxRank && float.IsFinite(factors.Scale)
                && factors.A.Rows == factors.B.Columns && !factors.Module.Any(char.IsControl);
            if (!usable) Assert.Fail($"{factors.Module} is unusable");
        }
        if (adapter.SavedModules.Any(module => module.Name.Length == 0)) Assert.Fail("a module without a name");
    }
}
