using LoraKernels.Checkpoints.Writing;

namespace LoraKernels.Checkpoints;

/// <summary>Which tensors of a model are quantized.</summary>
/// <param name="Modules">Names of the modules by the names of their weights.</param>
/// <param name="Kept">Matrices that are not.</param>
/// <param name="ModelType">The number format of the largest part of what is quantized.</param>
internal sealed record QuantizePlan(
    IReadOnlyDictionary<string, string> Modules, IReadOnlyList<KeptModule> Kept, DType ModelType)
{
    private const int ExamplesInMessages = 3;

    /// <summary>What is kept and why, for a message.</summary>
    public string KeptText => Kept.Count == 0
        ? "it has no matrix of F32, F16 or BF16 whose name ends in .weight"
        : "kept: " + string.Join(", ", Kept.Take(ExamplesInMessages).Select(k => $"{k.Name} ({k.Reason})"))
            + (Kept.Count > ExamplesInMessages ? $" and {Kept.Count - ExamplesInMessages} more" : "");

    public static QuantizePlan Of(IEnumerable<TensorInfo> tensors, ModuleSelection selection, IWeightWriter writer)
    {
        var modules = new Dictionary<string, string>(StringComparer.Ordinal);
        var kept = new List<KeptModule>();
        var bytes = new Dictionary<DType, long>();
        foreach (var tensor in tensors)
        {
            if (ModuleSelection.ModuleOf(tensor) is not { } module) continue;
            string? reason = selection.Refusal(module) ?? writer.Refusal(tensor.Shape[0], tensor.Shape[1])
                ?? (tensor.Bytes == 0 ? "it is empty" : null);
            if (reason is not null)
            {
                kept.Add(new KeptModule(module, reason));
                continue;
            }
            modules.Add(tensor.Name, module);
            var type = PeftAdapter.DTypeOf(tensor.Type)!.Value;
            bytes[type] = bytes.GetValueOrDefault(type) + tensor.Bytes;
        }
        var modelType = bytes.Count == 0 ? DType.BFloat16 : bytes.MaxBy(b => b.Value).Key;
        return new QuantizePlan(modules, kept, modelType);
    }
}
