namespace LoraKernels;

/// <summary>
/// A quantized weight W [N = <see cref="OutFeatures"/>, K = <see cref="InFeatures"/>] in host memory, in its
/// checkpoint's own bytes.
/// </summary>
/// <remarks>
/// <para>What a format does not name here is empty or 0. G = ⌈K / GroupSize⌉.</para>
/// <para>
/// <see cref="WeightFormat.BitsAndBytesNf4"/>, <see cref="WeightFormat.BitsAndBytesFp4"/>: with the flat index
/// i = n · K + k, W[i] = table[code(i)] · absmax[i / GroupSize]; groups run across rows where K is not a multiple of
/// <see cref="GroupSize"/>. Plain: <see cref="Scales"/> are the absmax as float. Nested (<see cref="OuterGroupSize"/>
/// above 0): absmax[b] = outerTable[scales[b]] · outerScales[b / OuterGroupSize] + <see cref="OuterOffset"/>.
/// </para>
/// <para>
/// GGUF formats: only <see cref="Codes"/>, the file's blocks; <see cref="GroupSize"/> is 32, K a multiple of 32, for
/// <see cref="WeightFormat.GgufQ4_K"/> of 256.
/// </para>
/// <para>
/// <see cref="WeightFormat.Int4Packed"/>: W[n, k] = (q − z) · scale[n, g] with g = k / GroupSize, or
/// <see cref="GroupIndex"/>[k]; z is 8 where there are no <see cref="ZeroPoints"/>. <see cref="GroupSize"/> is a
/// multiple of 32, or K.
/// </para>
/// <para>
/// <see cref="WeightFormat.Mxfp4"/>: W = E2M1(q) · 2^(scale − 127), a scale per 32.
/// <see cref="WeightFormat.Nvfp4"/>: W = E2M1(q) · s, a scale per 16, s = E4M3(scale) · <see cref="TensorScale"/>, or
/// divided by it. K is a multiple of <see cref="GroupSize"/>.
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

    /// <summary>Weights that share a scale. NF4 and FP4: a power of two, 32 … 4096.</summary>
    public required long GroupSize { get; init; }

    /// <summary>Nested NF4 and FP4: scales that share an outer scale, 256 by bitsandbytes. 0 where they are plain.</summary>
    public long OuterGroupSize { get; init; }

    /// <summary>Nested NF4 and FP4: what is added to every absmax.</summary>
    public float OuterOffset { get; init; }

    /// <summary>NVFP4: the tensor's scale, finite and above 0.</summary>
    public float TensorScale { get; init; }

    /// <summary>
    /// NVFP4: whether <see cref="TensorScale"/> divides (compressed-tensors) or multiplies (ModelOpt).
    /// </summary>
    public bool TensorScaleDivides { get; init; }

    /// <summary>Int4Packed: the type of <see cref="Scales"/>.</summary>
    public DType ScaleDType { get; init; }

    /// <summary>
    /// NF4, FP4: ⌈N·K / 2⌉ bytes, even i in the high nibble. GGUF: blocks. Int4Packed: [N, ⌈K / 8⌉] words of 8, lowest
    /// bits first. MXFP4, NVFP4: [N, K / 2], even k in the low nibble.
    /// </summary>
    public required ReadOnlyMemory<byte> Codes { get; init; }

    /// <summary>
    /// NF4, FP4: ⌈N·K / GroupSize⌉ floats when plain, as many bytes when nested. Int4Packed: [N, G] of
    /// <see cref="ScaleDType"/>. MXFP4: [N, G] bytes, E8M0. NVFP4: [N, G] bytes, E4M3 from 0 on.
    /// </summary>
    public ReadOnlyMemory<byte> Scales { get; init; }

    /// <summary>Int4Packed: [⌈N / 8⌉, G] words of 8 rows, lowest bits first; or empty.</summary>
    public ReadOnlyMemory<byte> ZeroPoints { get; init; }

    /// <summary>Int4Packed with act-order: K ints, the group of each k; or empty. All groups have the same size.</summary>
    public ReadOnlyMemory<byte> GroupIndex { get; init; }

    /// <summary>NF4, FP4: 16 floats, or empty for the format's own levels.</summary>
    public ReadOnlyMemory<byte> Table { get; init; }

    /// <summary>Nested NF4 and FP4: 256 floats.</summary>
    public ReadOnlyMemory<byte> OuterTable { get; init; }

    /// <summary>Nested NF4 and FP4: ⌈scales / OuterGroupSize⌉ floats.</summary>
    public ReadOnlyMemory<byte> OuterScales { get; init; }

    /// <summary>Bytes of all tensors together.</summary>
    public long Bytes =>
        (long)Codes.Length + Scales.Length + ZeroPoints.Length + GroupIndex.Length + Table.Length + OuterTable.Length
            + OuterScales.Length;
}
