using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// LoRA adapters as PEFT stores them: a folder with <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>.
/// </summary>
public static class PeftAdapter
{
    /// <summary>The largest rank that an adapter may have anywhere.</summary>
    public const int MaxRank = 512;

    internal const string WeightsName = "adapter_model.safetensors";
    internal const string Prefix = "base_model.model.";
    internal const string SuffixA = ".lora_A.weight";
    internal const string SuffixB = ".lora_B.weight";

    private const string PickleName = "adapter_model.bin";
    private const int MaxModuleLength = 1000;

    /// <summary>
    /// Reads an adapter whole, or refuses it: what would have to be left out (DoRA, biases, modules_to_save, changed
    /// bases) is named in the error.
    /// </summary>
    /// <param name="folder">The adapter's folder; its name becomes the adapter's.</param>
    /// <returns>
    /// One <see cref="LoraFactors"/> per module, in the module names' order, in the file's number format. The scale is
    /// alpha / r, or alpha / √r with <c>use_rslora</c>; rank and alpha patterns apply as in PEFT.
    /// </returns>
    /// <exception cref="CheckpointException">It is missing, malformed, or needs what is not supported.</exception>
    public static LoraAdapter Read(string folder)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (!Directory.Exists(folder))
        {
            throw new CheckpointException(folder, null, File.Exists(folder)
                ? $"is a file; expected an adapter's folder with {PeftConfig.FileName} and {WeightsName}"
                : "there is no such folder");
        }
        string configPath = FolderFiles.Find(folder, PeftConfig.FileName)
            ?? throw new CheckpointException(folder, null, $"has no {PeftConfig.FileName}; expected a PEFT adapter");
        string? weightsPath = FolderFiles.Find(folder, WeightsName);
        if (weightsPath is null)
        {
            throw FolderFiles.Find(folder, PickleName) is { } pickle
                ? FileKind.PickleError(pickle)
                : new CheckpointException(folder, null, $"has no {WeightsName}");
        }
        var config = PeftConfig.Read(configPath);
        using var weights = SafetensorsFile.Open(weightsPath);
        var factors = ReadFactors(config, weights);
        string name = Path.GetFileName(folder);
        return new LoraAdapter(name.Length > 0 ? name : folder, factors, config.BaseModel);
    }

    /// <summary>Writes an adapter as PEFT does, so that PEFT and <see cref="Read"/> give it back.</summary>
    /// <param name="folder">Created when missing; files of those names are replaced.</param>
    /// <param name="adapter">At least one update; ranks 1 to 512.</param>
    /// <exception cref="ArgumentException">An adapter that PEFT's files cannot describe.</exception>
    public static void Write(string folder, LoraAdapter adapter)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        ArgumentNullException.ThrowIfNull(adapter);
        PeftAdapterWriter.Write(folder, adapter);
    }

    internal static DType? DTypeOf(TensorType type) => type switch
    {
        TensorType.F32 => DType.Float32,
        TensorType.F16 => DType.Float16,
        TensorType.BF16 => DType.BFloat16,
        _ => null,
    };

    private static List<LoraFactors> ReadFactors(PeftConfig config, SafetensorsFile weights)
    {
        var modules = new SortedDictionary<string, (TensorInfo? A, TensorInfo? B)>(StringComparer.Ordinal);
        foreach (var tensor in weights.Tensors)
        {
            string module = ModuleOf(tensor, out bool isA);
            var (a, b) = modules.GetValueOrDefault(module);
            modules[module] = isA ? (tensor, b) : (a, tensor);
        }
        if (modules.Count == 0) throw new CheckpointException(weights.Path, null, "holds no LoRA factors");

        // All is checked before anything is read: a bad adapter costs no memory.
        foreach (var (module, (a, b)) in modules) Check(config, module, a, b);
        var factors = new List<LoraFactors>(modules.Count);
        foreach (var (module, (a, b)) in modules)
        {
            factors.Add(new LoraFactors(
                module, ReadMatrix(weights, a!), ReadMatrix(weights, b!), config.ScaleOf(module, a!.Shape[0])));
        }
        return factors;
    }

    private static string ModuleOf(TensorInfo tensor, out bool isA)
    {
        string name = tensor.Name;
        isA = name.EndsWith(SuffixA, StringComparison.Ordinal);
        int end = name.Length - SuffixA.Length;
        bool known = (isA || name.EndsWith(SuffixB, StringComparison.Ordinal))
            && name.StartsWith(Prefix, StringComparison.Ordinal) && end > Prefix.Length
            && end - Prefix.Length <= MaxModuleLength && !name.Any(char.IsControl);
        if (known) return name[Prefix.Length..end];
        string found = name switch
        {
            _ when name.Contains("lora_magnitude_vector", StringComparison.Ordinal) => "is a DoRA magnitude",
            _ when name.Contains("lora_embedding_", StringComparison.Ordinal) => "is an update of an embedding",
            _ when name.Contains("modules_to_save", StringComparison.Ordinal) => "is a layer trained in full",
            _ when name.EndsWith(".lora_B.bias", StringComparison.Ordinal) => "is a bias of B",
            _ => "is no LoRA factor of a linear layer",
        };
        throw new CheckpointException(tensor.File, name,
            $"{found}, which cannot be read; expected only {Prefix}<module>{SuffixA} and {SuffixB}");
    }

    private static void Check(PeftConfig config, string module, TensorInfo? a, TensorInfo? b)
    {
        if (a is null || b is null)
        {
            throw new CheckpointException((a ?? b)!.File, (a ?? b)!.Name,
                $"has no partner {Prefix}{module}{(a is null ? SuffixA : SuffixB)}");
        }
        foreach (var tensor in (TensorInfo[])[a, b])
        {
            if (DTypeOf(tensor.Type) is null)
                throw new CheckpointException(tensor.File, tensor.Name, $"is {tensor.Type}; expected F32, F16 or BF16");
            if (tensor.Shape.Count != 2 || tensor.Shape[0] == 0 || tensor.Shape[1] == 0)
            {
                throw new CheckpointException(tensor.File, tensor.Name,
                    $"has the shape {tensor.ShapeText}; expected two dimensions of 1 or more");
            }
        }
        long rank = a.Shape[0];
        if (rank > MaxRank)
            throw new CheckpointException(a.File, a.Name, $"has rank {rank} in {a.ShapeText}; at most {MaxRank} is allowed");
        if (b.Shape[1] != rank)
        {
            throw new CheckpointException(b.File, b.Name,
                $"has rank {b.Shape[1]} in {b.ShapeText}, but its A {a.ShapeText} has {rank}");
        }
        if (config.RankOf(module) != rank)
        {
            throw new CheckpointException(a.File, a.Name,
                $"has rank {rank} in {a.ShapeText}, but {PeftConfig.FileName} gives the module r = {config.RankOf(module)}");
        }
    }

    private static HostMatrix ReadMatrix(SafetensorsFile weights, TensorInfo tensor) =>
        new(weights.Read(tensor.Name), tensor.Shape[0], tensor.Shape[1], DTypeOf(tensor.Type)!.Value);
}
