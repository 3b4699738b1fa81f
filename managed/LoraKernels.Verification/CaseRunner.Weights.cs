using System.Runtime.InteropServices;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <content>The ops where every bit counts: pack, dequantize, quantize.</content>
internal sealed partial class CaseRunner<T>
{
    // Maps of different versions of bitsandbytes differ by a unit in the last place.
    private const int DynamicMapUlps = 1;

    private CaseOutcome Pack()
    {
        WeightTensors tensors = WeightSamples.Create(@case, _random);
        using QuantizedWeight weight = QuantizedWeight.Pack(device, tensors);
        WeightTensors back = weight.Unpack();
        string? message = Scalars(back) == Scalars(tensors)
            ? null
            : "format, shape, group sizes, offset, tensor scale or type of the scales came back changed";
        long wrong = Parts(back).Zip(Parts(tensors), Different).Sum();
        return new CaseOutcome(VerificationError.Mismatch(wrong, tensors.Bytes), message);
    }

    private static (WeightFormat, long, long, long, long, int, int, bool, DType) Scalars(WeightTensors tensors) =>
        (tensors.Format, tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, tensors.OuterGroupSize,
            BitConverter.SingleToInt32Bits(tensors.OuterOffset), BitConverter.SingleToInt32Bits(tensors.TensorScale),
            tensors.TensorScaleDivides, tensors.ScaleDType);

    private static ReadOnlyMemory<byte>[] Parts(WeightTensors tensors) =>
        [tensors.Codes, tensors.Scales, tensors.ZeroPoints, tensors.GroupIndex, tensors.Table, tensors.OuterTable,
            tensors.OuterScales];

    private CaseOutcome Dequantize()
    {
        WeightTensors tensors = WeightSamples.Create(@case, _random);
        using QuantizedWeight weight = QuantizedWeight.Pack(device, tensors);
        using GuardedTensor<T> output = GuardedTensor<T>.Unwritten(device, OutFeatures, InFeatures, @case.Strided);
        weight.Dequantize(output.View);
        T[] expected = Elements.FromFloats<T>(ReferenceBridge.Weight(tensors).Decode());
        long wrong = Different<T>(output.Read(), expected) + output.ChangedGuards();
        return new CaseOutcome(VerificationError.Mismatch(wrong, expected.Length));
    }

    private CaseOutcome Quantize()
    {
        T[] w = QuantizeInput();
        using GuardedTensor<T> input = GuardedTensor<T>.Of(device, w, OutFeatures, InFeatures, @case.Strided);
        using QuantizedWeight weight = QuantizedWeight.Quantize(input.View, QuantizeOptionsOf());
        WeightTensors actual = weight.Unpack();
        float[] values = Elements.ToFloats(w);
        return @case.Format.HasTable() ? CompareTable(actual, values) : CompareIntegers(actual, values);
    }

    private QuantizeOptions QuantizeOptionsOf() => @case.Format switch
    {
        VerificationFormat.Nf4 or VerificationFormat.Nf4Nested => QuantizeOptions.Nf4(@case.GroupSize, @case.Format.IsNested()),
        VerificationFormat.Fp4 or VerificationFormat.Fp4Nested => QuantizeOptions.Fp4(@case.GroupSize, @case.Format.IsNested()),
        _ => QuantizeOptions.Int4(@case.GroupSize, @case.Format == VerificationFormat.Int4ZeroPoints) with
        {
            ScaleDType = @case.ScaleDType,
        },
    };

    private CaseOutcome CompareTable(WeightTensors actual, float[] w)
    {
        bool fp4 = @case.Format is VerificationFormat.Fp4 or VerificationFormat.Fp4Nested;
        (byte[] codes, float[] absmax) = fp4
            ? ReferenceFp4.Quantize(w, @case.GroupSize)
            : ReferenceNf4Quantizer.Quantize(w, @case.GroupSize);
        float[] map = fp4 ? ReferenceFp4.StandardMap() : ReferenceNf4Weight.StandardMap();
        long wrong = Different<byte>(actual.Codes.Span, codes);
        wrong += Different<float>(MemoryMarshal.Cast<byte, float>(actual.Table.Span), actual.Table.IsEmpty ? [] : map);
        wrong += @case.Format.IsNested() ? DifferentNested(actual, absmax) : Different<byte>(actual.Scales.Span, AsBytes(absmax));
        return new CaseOutcome(VerificationError.Mismatch(wrong, codes.Length + absmax.Length));
    }

    private CaseOutcome CompareIntegers(WeightTensors actual, float[] w)
    {
        bool withZeroPoints = @case.Format == VerificationFormat.Int4ZeroPoints;
        ReferenceDType scaleType = @case.ScaleDType switch
        {
            DType.Float16 => ReferenceDType.F16,
            DType.BFloat16 => ReferenceDType.BF16,
            _ => ReferenceDType.F32,
        };
        (uint[] codes, float[] scales, uint[] zeroPoints) = ReferenceInt4Quantizer.Quantize(
            w, @case.OutFeatures, @case.InFeatures, @case.GroupSize, withZeroPoints, scaleType);
        byte[] expectedScales = scaleType switch
        {
            ReferenceDType.F16 => MemoryMarshal.AsBytes<Half>(Elements.FromFloats<Half>(scales)).ToArray(),
            ReferenceDType.BF16 => MemoryMarshal.AsBytes<BFloat16>(Elements.FromFloats<BFloat16>(scales)).ToArray(),
            _ => AsBytes(scales),
        };
        long wrong = Different<uint>(MemoryMarshal.Cast<byte, uint>(actual.Codes.Span), codes);
        wrong += Different<byte>(actual.Scales.Span, expectedScales);
        wrong += Different<uint>(MemoryMarshal.Cast<byte, uint>(actual.ZeroPoints.Span), withZeroPoints ? zeroPoints : []);
        return new CaseOutcome(VerificationError.Mismatch(wrong, codes.Length + scales.Length + zeroPoints.Length));
    }

    // The codes are checked with the map that the device used, the map against the published algorithm.
    private long DifferentNested(WeightTensors actual, float[] absmax)
    {
        ReadOnlySpan<float> map = MemoryMarshal.Cast<byte, float>(actual.OuterTable.Span);
        float[] published = ReferenceDynamicMap.Create();
        if (map.Length != published.Length)
            return absmax.Length;
        long wrong = 0;
        for (int i = 0; i < map.Length; i++)
        {
            long apart = BitConverter.SingleToInt32Bits(map[i]) - (long)BitConverter.SingleToInt32Bits(published[i]);
            if (Math.Abs(apart) > DynamicMapUlps)
                wrong++;
        }

        (byte[] codes, float[] scales, float offset) =
            ReferenceNf4Quantizer.QuantizeAbsmax(absmax, map, @case.OuterGroupSize);
        return wrong + Different<byte>(actual.Scales.Span, codes)
            + Different<byte>(actual.OuterScales.Span, AsBytes(scales))
            + (actual.OuterOffset.Equals(offset) ? 0 : 1);
    }

    // Mostly the bell curve that real weights have, with outliers, and at times a group of zeros.
    private T[] QuantizeInput()
    {
        float[] w = Samples.Uniform(_random, @case.OutFeatures * @case.InFeatures);
        for (int i = 0; i < w.Length; i++)
        {
            w[i] *= w[i] * w[i] * 0.1f;
            if (i % 1009 == 7)
                w[i] *= 50;
            if (i / @case.GroupSize % 7 == 5)
                w[i] = 0;
        }

        return Elements.FromFloats<T>(w);
    }

    private static long Different(ReadOnlyMemory<byte> a, ReadOnlyMemory<byte> b) => Different<byte>(a.Span, b.Span);

    private static long Different<TItem>(ReadOnlySpan<TItem> actual, ReadOnlySpan<TItem> expected)
        where TItem : unmanaged
    {
        if (actual.Length != expected.Length)
            return Math.Max(actual.Length, expected.Length);
        ReadOnlySpan<byte> actualBytes = MemoryMarshal.AsBytes(actual);
        ReadOnlySpan<byte> expectedBytes = MemoryMarshal.AsBytes(expected);
        int size = expected.IsEmpty ? 1 : expectedBytes.Length / expected.Length;
        long different = 0;
        for (int i = 0; i < expectedBytes.Length; i += size)
        {
            if (!actualBytes.Slice(i, size).SequenceEqual(expectedBytes.Slice(i, size)))
                different++;
        }

        return different;
    }

    private static byte[] AsBytes(float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();
}
