using System.Runtime.InteropServices;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <summary>From the library's host types to the reference's plain arrays.</summary>
public static class ReferenceBridge
{
    /// <summary>A checkpoint's tensors as the reference reads them.</summary>
    /// <exception cref="ArgumentException">A size that does not fit the shape.</exception>
    public static ReferenceWeight Weight(WeightTensors tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        return tensors.Format switch
        {
            WeightFormat.BitsAndBytesNf4 => BitsAndBytes(tensors, ReferenceNf4Weight.StandardMap()),
            WeightFormat.BitsAndBytesFp4 => BitsAndBytes(tensors, ReferenceFp4.StandardMap()),
            WeightFormat.GgufQ4_0 => Gguf(tensors, ReferenceGgufType.Q40),
            WeightFormat.GgufQ4_1 => Gguf(tensors, ReferenceGgufType.Q41),
            WeightFormat.GgufIq4Nl => Gguf(tensors, ReferenceGgufType.Iq4Nl),
            WeightFormat.GgufQ4_K => new ReferenceQ4KWeight(
                tensors.OutFeatures, tensors.InFeatures, tensors.Codes.ToArray()),
            WeightFormat.Int4Packed => Int4(tensors),
            WeightFormat.Mxfp4 => E2M1(tensors, ReferenceE2M1Weight.DecodeE8M0(tensors.Scales.ToArray())),
            WeightFormat.Nvfp4 => E2M1(
                tensors,
                ReferenceE2M1Weight.DecodeE4M3(
                    tensors.Scales.ToArray(), tensors.TensorScale, tensors.TensorScaleDivides)),
            WeightFormat.Gptq => Gptq(tensors, version: 1),
            WeightFormat.GptqV2 => Gptq(tensors, version: 2),
            WeightFormat.Awq => new ReferenceAwqWeight(
                tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, Words32(tensors.Codes),
                Words32(tensors.ZeroPoints), Elements(tensors.Scales, tensors.ScaleDType)),
            WeightFormat.Hqq => new ReferenceHqqWeight(
                tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, tensors.Codes.ToArray(),
                Elements(tensors.Scales, tensors.ScaleDType), Elements(tensors.ZeroPoints, tensors.ScaleDType)),
            WeightFormat.OnnxMatMulNBits => Onnx(tensors),
            WeightFormat.GgufMxfp4 => new ReferenceGgufE2M1Weight(
                tensors.OutFeatures, tensors.InFeatures, tensors.Codes.ToArray(), null),
            WeightFormat.GgufNvfp4 => new ReferenceGgufE2M1Weight(
                tensors.OutFeatures, tensors.InFeatures, tensors.Codes.ToArray(), tensors.TensorScale),
            WeightFormat.Float32 => Mixed(tensors, ReferenceGgufMixedType.F32),
            WeightFormat.Float16 => Mixed(tensors, ReferenceGgufMixedType.F16),
            WeightFormat.BFloat16 => Mixed(tensors, ReferenceGgufMixedType.BF16),
            WeightFormat.GgufQ5_0 => Mixed(tensors, ReferenceGgufMixedType.Q50),
            WeightFormat.GgufQ5_1 => Mixed(tensors, ReferenceGgufMixedType.Q51),
            WeightFormat.GgufQ8_0 => Mixed(tensors, ReferenceGgufMixedType.Q80),
            WeightFormat.GgufQ2_K => Mixed(tensors, ReferenceGgufMixedType.Q2K),
            WeightFormat.GgufQ3_K => Mixed(tensors, ReferenceGgufMixedType.Q3K),
            WeightFormat.GgufQ5_K => Mixed(tensors, ReferenceGgufMixedType.Q5K),
            WeightFormat.GgufQ6_K => Mixed(tensors, ReferenceGgufMixedType.Q6K),
            WeightFormat.GgufIq4Xs => Mixed(tensors, ReferenceGgufMixedType.Iq4Xs),
            _ => throw new ArgumentException($"{tensors.Format} is not known.", nameof(tensors)),
        };
    }

    private static ReferenceNf4Weight BitsAndBytes(WeightTensors tensors, float[] standardMap)
    {
        float[] absmax = tensors.OuterTable.IsEmpty
            ? Floats(tensors.Scales)
            : ReferenceNf4Weight.DecodeNestedAbsmax(
                tensors.Scales.ToArray(), Floats(tensors.OuterTable), Floats(tensors.OuterScales),
                tensors.OuterOffset, tensors.OuterGroupSize);
        return new ReferenceNf4Weight(
            tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, tensors.Codes.ToArray(), absmax,
            tensors.Table.IsEmpty ? standardMap : Floats(tensors.Table));
    }

    private static ReferenceGgufWeight Gguf(WeightTensors tensors, ReferenceGgufType type) =>
        new(tensors.OutFeatures, tensors.InFeatures, tensors.Codes.ToArray(), type);

    private static ReferenceGgufMixedWeight Mixed(WeightTensors tensors, ReferenceGgufMixedType type) =>
        new(tensors.OutFeatures, tensors.InFeatures, tensors.Codes.ToArray(), type);

    private static ReferenceInt4Weight Int4(WeightTensors tensors) => new(
        tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, Words32(tensors.Codes),
        Elements(tensors.Scales, tensors.ScaleDType),
        tensors.ZeroPoints.IsEmpty ? null : Words32(tensors.ZeroPoints),
        GroupIndex(tensors));

    private static ReferenceGptqWeight Gptq(WeightTensors tensors, int version) => new(
        tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, Words32(tensors.Codes), Words32(tensors.ZeroPoints),
        Elements(tensors.Scales, tensors.ScaleDType), GroupIndex(tensors), version);

    // Zero points are numbers where there are as many bytes of them as of scales.
    private static ReferenceOnnxWeight Onnx(WeightTensors tensors)
    {
        bool floatZeros = tensors.ZeroPoints.Length == tensors.Scales.Length;
        return new ReferenceOnnxWeight(
            tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, tensors.Codes.ToArray(),
            Elements(tensors.Scales, tensors.ScaleDType),
            floatZeros || tensors.ZeroPoints.IsEmpty ? null : tensors.ZeroPoints.ToArray(),
            floatZeros ? Elements(tensors.ZeroPoints, tensors.ScaleDType) : null,
            GroupIndex(tensors));
    }

    private static int[]? GroupIndex(WeightTensors tensors) =>
        tensors.GroupIndex.IsEmpty ? null : MemoryMarshal.Cast<byte, int>(tensors.GroupIndex.Span).ToArray();

    private static ReferenceE2M1Weight E2M1(WeightTensors tensors, float[] scales) =>
        new(tensors.OutFeatures, tensors.InFeatures, (int)tensors.GroupSize, tensors.Codes.ToArray(), scales);

    /// <summary>What an adapter has for a module, slices ascending.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="module">A plain module, or a fused one whose slices the adapter names.</param>
    /// <param name="weight">The module's weight, for DoRA's norms.</param>
    /// <exception cref="ArgumentException">Magnitudes and no weight.</exception>
    public static IReadOnlyList<ReferenceFactors> Factors(
        LoraAdapter adapter, LoraModule module, ReferenceWeight? weight = null)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(module);
        IEnumerable<OutputSlice> slices = module.Slices.Count == 0
            ? [new OutputSlice(module.Name, 0, module.OutFeatures)]
            : module.Slices;
        var found = new List<ReferenceFactors>();
        foreach (OutputSlice slice in slices)
        {
            foreach (LoraFactors factors in adapter.Factors)
            {
                if (factors.Module != slice.Name)
                    continue;
                var plain = new ReferenceFactors(
                    (int)slice.Offset, (int)slice.Size, (int)factors.Rank, Values(factors.A), Values(factors.B),
                    factors.Scale, factors.Bias is null ? null : Values(factors.Bias));
                found.Add(factors.Magnitude is null ? plain : plain.WithMagnitude(
                    weight ?? throw new ArgumentException($"{factors.Module} has magnitudes.", nameof(weight)),
                    Values(factors.Magnitude)));
            }
        }

        return found;
    }

    /// <summary>A host matrix, row-major.</summary>
    public static float[] Values(HostMatrix matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        return Elements(matrix.Data, matrix.DType);
    }

    private static float[] Elements(ReadOnlyMemory<byte> bytes, DType dtype) => dtype switch
    {
        DType.Float32 => Floats(bytes),
        DType.Float16 => Array.ConvertAll(Words(bytes), ReferenceRounding.FromFloat16Bits),
        _ => Array.ConvertAll(Words(bytes), ReferenceRounding.FromBFloat16Bits),
    };

    private static float[] Floats(ReadOnlyMemory<byte> bytes) => MemoryMarshal.Cast<byte, float>(bytes.Span).ToArray();

    private static ushort[] Words(ReadOnlyMemory<byte> bytes) => MemoryMarshal.Cast<byte, ushort>(bytes.Span).ToArray();

    private static uint[] Words32(ReadOnlyMemory<byte> bytes) => MemoryMarshal.Cast<byte, uint>(bytes.Span).ToArray();
}
