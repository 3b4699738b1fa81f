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
/// <see cref="WeightFormat.GgufQ4_K"/> of 256. <see cref="WeightFormat.GgufNvfp4"/>: <see cref="GroupSize"/> is 16, K a
/// multiple of 64, and <see cref="TensorScale"/> multiplies. Those of other widths than 4 bits: K is a multiple of 256 where
/// the name ends with K or XS, else of 32; <see cref="GroupSize"/> is 16 for <see cref="WeightFormat.GgufQ2_K"/>,
/// <see cref="WeightFormat.GgufQ3_K"/> and <see cref="WeightFormat.GgufQ6_K"/>, else 32. Devices keep their bytes as they are.
/// </para>
/// <para>
/// <see cref="WeightFormat.Float32"/>, <see cref="WeightFormat.Float16"/>, <see cref="WeightFormat.BFloat16"/>: only
/// <see cref="Codes"/>, [N, K] numbers; <see cref="GroupSize"/> is 1.
/// </para>
/// <para>
/// <see cref="WeightFormat.Int4Packed"/>: W[n, k] = (q − z) · scale[n, g] with g = k / GroupSize, or
/// <see cref="GroupIndex"/>[k]; z is 8 where there are no <see cref="ZeroPoints"/>. <see cref="GroupSize"/> is a
/// multiple of 32, or K.
/// </para>
/// <para>
/// <see cref="WeightFormat.Gptq"/>, <see cref="WeightFormat.GptqV2"/>: the same, with z = zero point + 1 or the zero
/// point itself; N and K are multiples of 8. <see cref="WeightFormat.Awq"/>: the same without act-order; N is a multiple
/// of 8.
/// </para>
/// <para>
/// <see cref="WeightFormat.Hqq"/>: W = (q − zero) · scale with K a multiple of <see cref="GroupSize"/>, which is a multiple
/// of 8 or K. <see cref="WeightFormat.OnnxMatMulNBits"/>: W = (q − z) · scale, z of 4 bits, or a number, or 8;
/// <see cref="GroupSize"/> is a power of two from 16 on.
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

    /// <summary>NVFP4, GGUF's too: the tensor's scale, finite and above 0.</summary>
    public float TensorScale { get; init; }

    /// <summary>
    /// NVFP4: whether <see cref="TensorScale"/> divides (compressed-tensors) or multiplies (ModelOpt).
    /// </summary>
    public bool TensorScaleDivides { get; init; }

    /// <summary>Formats of integers: the type of <see cref="Scales"/>.</summary>
    public DType ScaleDType { get; init; }

    /// <summary>
    /// NF4, FP4: ⌈N·K / 2⌉ bytes, even i in the high nibble. GGUF: blocks. Int4Packed: [N, ⌈K / 8⌉] words of 8, lowest
    /// bits first. GPTQ: [K / 8, N] words of 8 k. AWQ: [K, N / 8] words of rows 0 2 4 6 1 3 5 7. HQQ: [N·G / 2, GroupSize],
    /// the first half of the groups in the high nibbles. ONNX: [N, G, GroupSize / 2], even k in the low nibble. MXFP4,
    /// NVFP4: [N, K / 2], even k in the low nibble.
    /// </summary>
    public required ReadOnlyMemory<byte> Codes { get; init; }

    /// <summary>
    /// NF4, FP4: ⌈N·K / GroupSize⌉ floats when plain, as many bytes when nested. Int4Packed, HQQ, ONNX: [N, G] of
    /// <see cref="ScaleDType"/>; GPTQ, AWQ: [G, N] of it. MXFP4: [N, G] bytes, E8M0. NVFP4: [N, G] bytes, E4M3 from 0 on.
    /// </summary>
    public ReadOnlyMemory<byte> Scales { get; init; }

    /// <summary>
    /// Int4Packed: [⌈N / 8⌉, G] words of 8 rows, lowest bits first; or empty. GPTQ, AWQ: [G, N / 8] words of 8 rows, in the
    /// order of the codes. HQQ: [N, G] of <see cref="ScaleDType"/>. ONNX: [N, ⌈G / 2⌉] bytes, even groups in the low nibble;
    /// or [N, G] of <see cref="ScaleDType"/>; or empty.
    /// </summary>
    public ReadOnlyMemory<byte> ZeroPoints { get; init; }

    /// <summary>Int4Packed, GPTQ, ONNX with act-order: K ints, the group of each k; or empty. All groups have the same size.</summary>
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
