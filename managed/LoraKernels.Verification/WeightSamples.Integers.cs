namespace LoraKernels.Verification;

/// <content>Integers in the layouts of GPTQ, AWQ, HQQ and ONNX.</content>
internal static partial class WeightSamples
{
    // AWQ's tensors have the same sizes.
    private static WeightTensors Gptq(VerificationCase @case, Random random)
    {
        long groups = Groups(@case);
        return new WeightTensors
        {
            Format = @case.Format switch
            {
                VerificationFormat.Awq => WeightFormat.Awq,
                VerificationFormat.GptqV2 => WeightFormat.GptqV2,
                _ => WeightFormat.Gptq,
            },
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = @case.GroupSize,
            ScaleDType = @case.ScaleDType,
            Codes = RandomBytes(random, @case.InFeatures * @case.OutFeatures / 2),
            Scales = IntegerScales(@case, random, groups),
            ZeroPoints = RandomBytes(random, groups * @case.OutFeatures / 2),
            GroupIndex = @case.Format == VerificationFormat.GptqActOrder ? GroupIndex(@case, random) : [],
        };
    }

    private static WeightTensors Hqq(VerificationCase @case, Random random) => new()
    {
        Format = WeightFormat.Hqq,
        OutFeatures = @case.OutFeatures,
        InFeatures = @case.InFeatures,
        GroupSize = @case.GroupSize,
        ScaleDType = @case.ScaleDType,
        Codes = RandomBytes(random, @case.OutFeatures * @case.InFeatures / 2),
        Scales = IntegerScales(@case, random, Groups(@case)),
        ZeroPoints = FloatZeros(@case, random),
    };

    // Bytes of padding are random as all others.
    private static WeightTensors Onnx(VerificationCase @case, Random random)
    {
        long groups = Groups(@case);
        return new WeightTensors
        {
            Format = WeightFormat.OnnxMatMulNBits,
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = @case.GroupSize,
            ScaleDType = @case.ScaleDType,
            Codes = RandomBytes(random, @case.OutFeatures * groups * @case.GroupSize / 2),
            Scales = IntegerScales(@case, random, groups),
            ZeroPoints = @case.Format switch
            {
                VerificationFormat.OnnxZeroPoints => RandomBytes(random, @case.OutFeatures * ((groups + 1) / 2)),
                VerificationFormat.OnnxFloatZeros => FloatZeros(@case, random),
                _ => [],
            },
        };
    }

    private static byte[] FloatZeros(VerificationCase @case, Random random) =>
        Numbers(@case, @case.OutFeatures * Groups(@case), () => 7.5f + 4 * (random.NextSingle() - 0.5f));

    private static long Groups(VerificationCase @case) =>
        (@case.InFeatures + @case.GroupSize - 1) / @case.GroupSize;
}
