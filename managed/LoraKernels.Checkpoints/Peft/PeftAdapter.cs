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

    private const string PickleName = "adapter_model.bin";

    /// <summary>
    /// Reads an adapter whole, or refuses it: what would have to be left out (changed biases of the base, new tokens,
    /// initializations that change the base) is named in the error.
    /// </summary>
    /// <param name="folder">The adapter's folder; its name becomes the adapter's.</param>
    /// <returns>
    /// One <see cref="LoraFactors"/> per module, in the module names' order, in the file's number format, with
    /// <c>lora_bias</c> and DoRA's magnitudes. The scale is alpha / r, or alpha / √r with <c>use_rslora</c>; rank and alpha
    /// patterns apply as in PEFT. Experts' stacked weights (<c>target_parameters</c>) have an update for each expert, named
    /// <c>MODULE.PARAMETER.EXPERT</c> as in a <see cref="Checkpoint"/>. Modules of <c>modules_to_save</c> are among the adapter's saved modules.
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
        var modules = new PeftModules(config, weights);
        string name = Path.GetFileName(folder);
        return new LoraAdapter(
            name.Length > 0 ? name : folder, modules.ReadFactors(), config.BaseModel, modules.ReadSavedModules());
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
}
