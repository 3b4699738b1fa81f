using System.Text;
using LoraKernels.Checkpoints;
using LoraKernels.Tests.Bindings;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>
/// The golden adapters of every writer as a corpus, damaged: configurations and headers token by token, and bytes.
/// </summary>
public sealed class AdapterMutationTests : FolderTests
{
    private const int Mutations = 300;

    private static string Golden => Path.Combine(Repository.Root, "tests", "golden", "adapters");

    private static IEnumerable<string> PeftFolders => Directory.EnumerateDirectories(Golden)
        .Where(p => File.Exists(Path.Combine(p, "adapter_config.json"))).Select(p => Path.GetFileName(p)).Order();

    [TestCaseSource(nameof(PeftFolders))]
    public void PeftFolder(string name)
    {
        string config = File.ReadAllText(Path.Combine(Golden, name, "adapter_config.json"));
        byte[] weights = File.ReadAllBytes(Path.Combine(Golden, name, "adapter_model.safetensors"));
        int header = (int)BitConverter.ToUInt64(weights);
        string json = Encoding.UTF8.GetString(weights, 8, header);
        MutationRun.Check(SeedOf(name), Mutations, 12,
            random =>
            {
                int what = random.Next(3);
                Folder.Write("adapter_config.json", what == 0 ? JsonMutations.Mutate(random, config) : Encoding.UTF8.GetBytes(config));
                Folder.Write("adapter_model.safetensors", what switch
                {
                    0 => weights,
                    1 => SafetensorsBytes.Of(JsonMutations.Mutate(random, json), weights[(8 + header)..]),
                    _ => ByteMutations.Mutate(random, weights),
                });
                return Length("adapter_config.json") + Length("adapter_model.safetensors");
            },
            () => Use(PeftAdapter.Read(Folder.Path)));
    }

    [Test]
    public void GgufFile()
    {
        byte[] original = File.ReadAllBytes(Path.Combine(Golden, "llama-cpp", "adapter.gguf"));
        string path = Folder.Combine("adapter.gguf");
        MutationRun.Check(SeedOf("llama-cpp"), 4 * Mutations, 20,
            random =>
            {
                Folder.Write("adapter.gguf", ByteMutations.Mutate(random, original));
                return Length("adapter.gguf");
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

    private long Length(string name) => new FileInfo(Folder.Combine(name)).Length;

    // The same everywhere: string.GetHashCode is not.
    private static int SeedOf(string name) => 200_000 + 10_000 * name.Sum(c => c) % 1_000_000;
}
