using System.Runtime.InteropServices;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <summary>Checkpoint tensors with random contents; weights of about 1 / sqrt(K), so that products stay near 1.</summary>
internal static partial class WeightSamples
{
    public static WeightTensors Create(VerificationCase @case, Random random) => @case.Format switch
    {
        VerificationFormat.Nf4 or VerificationFormat.Fp4 => BitsAndBytes(@case, random),
        VerificationFormat.Nf4Nested or VerificationFormat.Fp4Nested => BitsAndBytesNested(@case, random),
        VerificationFormat.GgufQ40 => Q40(@case, random),
        VerificationFormat.GgufQ41 => Q41(@case, random),
        VerificationFormat.GgufIq4Nl => Iq4Nl(@case, random),
        VerificationFormat.GgufQ4K => Q4K(@case, random),
        VerificationFormat.Int4 or VerificationFormat.Int4ZeroPoints or VerificationFormat.Int4ActOrder =>
            Int4(@case, random),
        VerificationFormat.Gptq or VerificationFormat.GptqV2 or VerificationFormat.GptqActOrder
            or VerificationFormat.Awq => Gptq(@case, random),
        VerificationFormat.Hqq => Hqq(@case, random),
        VerificationFormat.Onnx or VerificationFormat.OnnxZeroPoints or VerificationFormat.OnnxFloatZeros =>
            Onnx(@case, random),
        VerificationFormat.GgufMxfp4 => GgufMxfp4(@case, random),
        VerificationFormat.GgufNvfp4 => GgufNvfp4(@case, random),
        VerificationFormat.F32 => Mixed(@case, random, ReferenceGgufMixedType.F32, WeightFormat.Float32, 1),
        VerificationFormat.F16 => Mixed(@case, random, ReferenceGgufMixedType.F16, WeightFormat.Float16, 1),
        VerificationFormat.BF16 => Mixed(@case, random, ReferenceGgufMixedType.BF16, WeightFormat.BFloat16, 1),
        VerificationFormat.GgufQ50 => Mixed(@case, random, ReferenceGgufMixedType.Q50, WeightFormat.GgufQ5_0, 32),
        VerificationFormat.GgufQ51 => Mixed(@case, random, ReferenceGgufMixedType.Q51, WeightFormat.GgufQ5_1, 32),
        VerificationFormat.GgufQ80 => Mixed(@case, random, ReferenceGgufMixedType.Q80, WeightFormat.GgufQ8_0, 32),
        VerificationFormat.GgufQ2K => Mixed(@case, random, ReferenceGgufMixedType.Q2K, WeightFormat.GgufQ2_K, 16),
        VerificationFormat.GgufQ3K => Mixed(@case, random, ReferenceGgufMixedType.Q3K, WeightFormat.GgufQ3_K, 16),
        VerificationFormat.GgufQ5K => Mixed(@case, random, ReferenceGgufMixedType.Q5K, WeightFormat.GgufQ5_K, 32),
        VerificationFormat.GgufQ6K => Mixed(@case, random, ReferenceGgufMixedType.Q6K, WeightFormat.GgufQ6_K, 16),
        VerificationFormat.GgufIq4Xs => Mixed(@case, random, ReferenceGgufMixedType.Iq4Xs, WeightFormat.GgufIq4Xs, 32),
        VerificationFormat.Mxfp4 => Mxfp4(@case, random),
        VerificationFormat.Nvfp4 => Nvfp4(@case, random, divides: false),
        VerificationFormat.Nvfp4Divided => Nvfp4(@case, random, divides: true),
        _ => throw new ArgumentException($"{@case.Op} has no weight.", nameof(@case)),
    };

    private static float Magnitude(VerificationCase @case) => 1 / MathF.Sqrt(Math.Max(1, @case.InFeatures));

    // Of either sign, as large as `magnitude` and as small as half of it.
    private static float Scale(Random random, float magnitude) =>
        magnitude * (0.5f + 0.5f * random.NextSingle()) * (random.Next(2) == 0 ? 1 : -1);

    private static WeightTensors BitsAndBytes(VerificationCase @case, Random random)
    {
        long count = @case.OutFeatures * @case.InFeatures;
        var absmax = new float[ReferenceNf4Weight.GroupCount(count, @case.GroupSize)];
        for (int i = 0; i < absmax.Length; i++)
            absmax[i] = Magnitude(@case) * (1 + random.NextSingle());
        return new WeightTensors
        {
            Format = BitsAndBytesFormat(@case),
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = @case.GroupSize,
            Codes = RandomBytes(random, (count + 1) / 2),
            Scales = Bytes(absmax),
            Table = CustomMap(@case, random),
        };
    }

    private static WeightTensors BitsAndBytesNested(VerificationCase @case, Random random)
    {
        long count = @case.OutFeatures * @case.InFeatures;
        long groups = ReferenceNf4Weight.GroupCount(count, @case.GroupSize);
        var outerScales = new float[ReferenceNf4Weight.GroupCount(groups, @case.OuterGroupSize)];
        for (int i = 0; i < outerScales.Length; i++)
            outerScales[i] = Magnitude(@case) * (0.5f + 0.4f * random.NextSingle());
        return new WeightTensors
        {
            Format = BitsAndBytesFormat(@case),
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = @case.GroupSize,
            OuterGroupSize = @case.OuterGroupSize,
            OuterOffset = Magnitude(@case),
            Codes = RandomBytes(random, (count + 1) / 2),
            Scales = RandomBytes(random, groups),
            Table = CustomMap(@case, random),
            OuterTable = Bytes(ReferenceDynamicMap.Create()),
            OuterScales = Bytes(outerScales),
        };
    }

    private static WeightFormat BitsAndBytesFormat(VerificationCase @case) =>
        @case.Format is VerificationFormat.Fp4 or VerificationFormat.Fp4Nested
            ? WeightFormat.BitsAndBytesFp4
            : WeightFormat.BitsAndBytesNf4;

    // Not the standard map: a reader that ignores the file's own map must be caught.
    private static byte[] CustomMap(VerificationCase @case, Random random)
    {
        if (!@case.CustomMap)
            return [];
        float[] map = ReferenceNf4Weight.StandardMap();
        for (int i = 0; i < map.Length; i++)
            map[i] += 0.01f * (random.NextSingle() - 0.5f);
        return Bytes(map);
    }

    private static byte[] RandomBytes(Random random, long count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] Bytes<T>(T[] values)
        where T : unmanaged => MemoryMarshal.AsBytes<T>(values).ToArray();
}
