namespace LoraKernels;

/// <summary>
/// A quantized weight W [N = <see cref="OutFeatures"/>, K = <see cref="InFeatures"/>] in host memory, in its
/// checkpoint's own bytes.
/// </summary>
/// <remarks>
/// <para>
/// <see cref="WeightFormat.BitsAndBytesNf4"/>: with the flat index i = n · K + k, W[i] = table[code(i)] ·
/// absmax[i / GroupSize]; groups run across rows where K is not a multiple of <see cref="GroupSize"/>. Plain:
/// <see cref="Scales"/> are the absmax as float. Nested (<see cref="OuterGroupSize"/> above 0): absmax[b] =
/// outerTable[scales[b]] · outerScales[b / OuterGroupSize] + <see cref="OuterOffset"/>.
/// </para>
/// <para>
/// <see cref="WeightFormat.GgufQ4_0"/>: only <see cref="Codes"/>; <see cref="GroupSize"/> is 32 and K a multiple of it.
/// </para>
/// <para>Sizes are checked by <see cref="QuantizedWeight.Pack"/>.</para>
/// </remarks>
public sealed class WeightTensors
{
    /// <summary>The checkpoint format.</summary>
    public required WeightFormat Format { get; init; }

    /// <summary>N, rows of W.</summary>
    public required long OutFeatures { get; init; }

    /// <summary>K, columns of W.</summary>
    public required long InFeatures { get; init; }

    /// <summary>Weights that share a scale. NF4: a power of two, 32 … 4096; Q4_0: 32.</summary>
    public required long GroupSize { get; init; }

    /// <summary>Nested NF4: scales that share an outer scale, 256 by bitsandbytes. 0 where they are plain.</summary>
    public long OuterGroupSize { get; init; }

    /// <summary>Nested NF4: what is added to every absmax.</summary>
    public float OuterOffset { get; init; }

    /// <summary>
    /// NF4: ⌈N·K / 2⌉ bytes, even i in the high nibble. Q4_0: 18 bytes a block of 32: fp16 scale, then 16 bytes of
    /// nibbles (low = element j, high = element j + 16).
    /// </summary>
    public required ReadOnlyMemory<byte> Codes { get; init; }

    /// <summary>NF4, ⌈N·K / GroupSize⌉ scales: float (4 bytes each) when plain, one byte each when nested.</summary>
    public ReadOnlyMemory<byte> Scales { get; init; }

    /// <summary>NF4: 16 floats, or empty for the standard NF4 levels.</summary>
    public ReadOnlyMemory<byte> Table { get; init; }

    /// <summary>Nested NF4: 256 floats.</summary>
    public ReadOnlyMemory<byte> OuterTable { get; init; }

    /// <summary>Nested NF4: ⌈scales / OuterGroupSize⌉ floats.</summary>
    public ReadOnlyMemory<byte> OuterScales { get; init; }

    /// <summary>Bytes of all tensors together.</summary>
    public long Bytes =>
        (long)Codes.Length + Scales.Length + Table.Length + OuterTable.Length + OuterScales.Length;
}
