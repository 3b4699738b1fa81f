namespace LoraKernels.Checkpoints;

/// <summary>All kinds of weights there are. A new one is a class and a line.</summary>
internal static class WeightReaders
{
    private static readonly IWeightReader Onnx = new OnnxWeights();

    private static readonly IWeightReader[] All =
    [
        new BitsAndBytesWeights(),
        new GptqWeights(),
        new AwqWeights(),
        new CompressedTensorsWeights(),
        new ModelOptWeights(),
        new HqqWeights(),
        new GptOssWeights(),
        new GgufWeights(),
        Onnx,
    ];

    /// <summary>For messages.</summary>
    public static string Readable { get; } = string.Join(", ", All.Select(r => r.Reads));

    /// <summary>The weights among a checkpoint's tensors, and what a user should know of them.</summary>
    /// <exception cref="CheckpointException">
    /// Weights that are malformed, or of no known kind though the configuration names one.
    /// </exception>
    public static (IReadOnlyList<WeightEntry> Entries, IReadOnlyList<string> Remarks) Find(
        TensorSource source, QuantizationConfig? config)
    {
        var expected = config is null ? null : ReaderOf(config);
        var entries = new List<WeightEntry>();
        var remarks = new List<string>();
        // The nodes of an ONNX model say what its tensors are; names that other kinds have mean nothing there.
        foreach (var reader in source is OnnxSource ? [Onnx] : All)
        {
            // A layout that two kinds share is the one that the configuration names.
            WeightEntry[] found = [.. reader.Find(source, config)];
            entries.AddRange(found);
            if (found.Length > 0 && reader.Remark(config, [.. found.Select(e => e.Info)]) is { } remark) remarks.Add(remark);
            if (reader == expected && found.Length == 0)
            {
                throw config!.Error(QuantizationConfig.MethodField, $"is {CheckpointException.Quote(config.Method!)}, but none "
                    + $"of the {source.Tensors.Count} tensors is part of a weight of {reader.Reads}");
            }
        }
        return (entries, remarks);
    }

    private static IWeightReader? ReaderOf(QuantizationConfig config)
    {
        if (config.Method is null) return null;
        return All.FirstOrDefault(r => r.Methods.Contains(config.Method, StringComparer.OrdinalIgnoreCase))
            ?? throw config.Error(QuantizationConfig.MethodField,
                $"is {CheckpointException.Quote(config.Method)}; can be read: {Readable}");
    }
}
