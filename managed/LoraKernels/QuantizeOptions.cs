namespace LoraKernels;

/// <summary>How <see cref="QuantizedWeight.Quantize"/> makes 4-bit weights of numbers.</summary>
/// <remarks>
/// <para>
/// <see cref="Nf4"/>, <see cref="Fp4"/>: bitsandbytes' rule. absmax per group of the flat index, then the level nearest
/// to w · (1 / absmax). Nested: absmax less its mean goes, in groups of 256, through the dynamic 8-bit map. Tim Dettmers
/// et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023.
/// </para>
/// <para>
/// <see cref="Int4"/>: compressed-tensors' rule in fp32, with the lowest and highest of a group's weights and 0.
/// Symmetric: scale = max(|lowest|, |highest|) / 7.5, code = round(clamp(w / scale, −8, 7)). With zero points: scale =
/// (highest − lowest) / 15, zero = round(clamp(−8 − lowest / scale, −8, 7)), code = round(clamp(w / scale + zero, −8,
/// 7)). Codes and zeros are stored plus 8. A scale is rounded to its type first; 0 becomes the type's epsilon.
/// </para>
/// </remarks>
public sealed record QuantizeOptions
{
    /// <summary>
    /// One that can be made: <see cref="WeightFormat.BitsAndBytesNf4"/>, <see cref="WeightFormat.BitsAndBytesFp4"/> or
    /// <see cref="WeightFormat.Int4Packed"/>.
    /// </summary>
    public required WeightFormat Format { get; init; }

    /// <summary>
    /// Weights that share a scale. bitsandbytes: a power of two, 32 … 4096. Int4: a multiple of 32, or K.
    /// </summary>
    public required long GroupSize { get; init; }

    /// <summary>bitsandbytes: scales that share an outer scale, 256; or 0 for plain float scales.</summary>
    public long OuterGroupSize { get; init; }

    /// <summary>Int4: the type of the scales; null for that of the weights.</summary>
    public DType? ScaleDType { get; init; }

    /// <summary>Int4: whether every group has a zero point; otherwise codes are symmetric.</summary>
    public bool HasZeroPoints { get; init; }

    /// <summary>bitsandbytes NF4.</summary>
    /// <param name="groupSize">A power of two, 32 … 4096.</param>
    /// <param name="nested">Whether absmax is quantized in turn ("double quantization").</param>
    public static QuantizeOptions Nf4(long groupSize = 64, bool nested = true) => new()
    {
        Format = WeightFormat.BitsAndBytesNf4,
        GroupSize = groupSize,
        OuterGroupSize = nested ? 256 : 0,
    };

    /// <summary>bitsandbytes FP4.</summary>
    /// <param name="groupSize">A power of two, 32 … 4096.</param>
    /// <param name="nested">Whether absmax is quantized in turn ("double quantization").</param>
    public static QuantizeOptions Fp4(long groupSize = 64, bool nested = true) =>
        Nf4(groupSize, nested) with { Format = WeightFormat.BitsAndBytesFp4 };

    /// <summary>compressed-tensors pack-quantized.</summary>
    /// <param name="groupSize">A multiple of 32, or K.</param>
    /// <param name="zeroPoints">Whether every group has a zero point; otherwise codes are symmetric.</param>
    public static QuantizeOptions Int4(long groupSize = 128, bool zeroPoints = false) => new()
    {
        Format = WeightFormat.Int4Packed,
        GroupSize = groupSize,
        HasZeroPoints = zeroPoints,
    };
}
