namespace LoraKernels.Verification;

/// <content>Codes and scales in tensors of their own: packed int4, MXFP4, NVFP4.</content>
internal static partial class WeightSamples
{
    // Bytes of padding, behind rows of codes and columns of zero points, are random as all others.
    private static WeightTensors Int4(VerificationCase @case, Random random)
    {
        bool hasZeroPoints = @case.Format != VerificationFormat.Int4;
        bool hasGroupIndex = @case.Format == VerificationFormat.Int4ActOrder;
        long groups = (@case.InFeatures + @case.GroupSize - 1) / @case.GroupSize;
        return new WeightTensors
        {
            Format = WeightFormat.Int4Packed,
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = @case.GroupSize,
            ScaleDType = @case.ScaleDType,
            Codes = RandomBytes(random, @case.OutFeatures * ((@case.InFeatures + 7) / 8) * 4),
            Scales = IntegerScales(@case, random, groups),
            ZeroPoints = hasZeroPoints ? RandomBytes(random, (@case.OutFeatures + 7) / 8 * groups * 4) : [],
            GroupIndex = hasGroupIndex ? GroupIndex(@case, random) : [],
        };
    }

    private static byte[] IntegerScales(VerificationCase @case, Random random, long groups) => Numbers(
        @case, @case.OutFeatures * groups, () => Scale(random, Magnitude(@case) / 8));

    private static byte[] Numbers(VerificationCase @case, long count, Func<float> next)
    {
        var numbers = new float[count];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = next();
        return @case.ScaleDType switch
        {
            DType.Float32 => Bytes(numbers),
            DType.Float16 => Bytes(Elements.FromFloats<Half>(numbers)),
            _ => Bytes(Elements.FromFloats<BFloat16>(numbers)),
        };
    }

    private static byte[] GroupIndex(VerificationCase @case, Random random)
    {
        int[] groups = [.. Enumerable.Range(0, (int)@case.InFeatures).Select(k => k / @case.GroupSize)];
        random.Shuffle(groups);
        return Bytes(groups);
    }

    private static WeightTensors Mxfp4(VerificationCase @case, Random random)
    {
        var scales = new byte[@case.OutFeatures * @case.InFeatures / 32];
        for (int i = 0; i < scales.Length; i++)
            scales[i] = Exponent(@case, random);
        return new WeightTensors
        {
            Format = WeightFormat.Mxfp4,
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = 32,
            Codes = RandomBytes(random, @case.OutFeatures * @case.InFeatures / 2),
            Scales = scales,
        };
    }

    // Of an E8M0 scale; now and then 2^-127, a subnormal of fp32.
    private static byte Exponent(VerificationCase @case, Random random)
    {
        int exponent = 127 + (int)MathF.Floor(MathF.Log2(Magnitude(@case) / 4));
        return (byte)(random.Next(50) == 0 ? 0 : exponent + random.Next(3));
    }

    private static WeightTensors Nvfp4(VerificationCase @case, Random random, bool divides)
    {
        // E4M3 scales from 0 to the largest; most of them are far below it.
        var scales = new byte[@case.OutFeatures * @case.InFeatures / 16];
        for (int i = 0; i < scales.Length; i++)
            scales[i] = (byte)random.Next(0x7F);
        float tensorScale = Magnitude(@case) / 100 * (1 + random.NextSingle());
        return new WeightTensors
        {
            Format = WeightFormat.Nvfp4,
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = 16,
            TensorScale = divides ? 1 / tensorScale : tensorScale,
            TensorScaleDivides = divides,
            Codes = RandomBytes(random, @case.OutFeatures * @case.InFeatures / 2),
            Scales = scales,
        };
    }
}
