namespace LoraKernels.Checkpoints;

/// <summary>Recognizes the 4-bit weights that one kind of quantizer writes.</summary>
internal interface IWeightReader
{
    /// <summary>What it reads, for people.</summary>
    string Reads { get; }

    /// <summary>The values of <c>quant_method</c> whose weights it reads; empty where files have none.</summary>
    IReadOnlyList<string> Methods { get; }

    /// <summary>All weights of this kind. What only looks like one is left to other readers.</summary>
    /// <exception cref="CheckpointException">
    /// Tensors that miss others, do not fit them, or are what the configuration says they are not.
    /// </exception>
    IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config);

    /// <summary>What a user should know of how such a checkpoint is read; null for nothing.</summary>
    string? Remark(QuantizationConfig? config, IReadOnlyList<WeightInfo> found) => null;
}
