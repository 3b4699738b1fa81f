using System.Buffers.Binary;
using System.Runtime.InteropServices;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <summary>Checkpoint tensors with random contents; weights of about 1 / sqrt(K), so that products stay near 1.</summary>
internal static class WeightSamples
{
    public static WeightTensors Create(VerificationCase @case, Random random) => @case.Format switch
    {
        VerificationFormat.Nf4 => Nf4(@case, random),
        VerificationFormat.Nf4Nested => Nf4Nested(@case, random),
        VerificationFormat.GgufQ40 => Q40(@case, random),
        _ => throw new ArgumentException($"{@case.Op} has no weight.", nameof(@case)),
    };

    private static float Magnitude(VerificationCase @case) => 1 / MathF.Sqrt(Math.Max(1, @case.InFeatures));

    private static WeightTensors Nf4(VerificationCase @case, Random random)
    {
        long count = @case.OutFeatures * @case.InFeatures;
        var absmax = new float[ReferenceNf4Weight.GroupCount(count, @case.GroupSize)];
        for (int i = 0; i < absmax.Length; i++)
            absmax[i] = Magnitude(@case) * (1 + random.NextSingle());
        return new WeightTensors
        {
            Format = WeightFormat.BitsAndBytesNf4,
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = @case.GroupSize,
            Codes = RandomBytes(random, (count + 1) / 2),
            Scales = Bytes(absmax),
            Table = CustomMap(@case, random),
        };
    }

    private static WeightTensors Nf4Nested(VerificationCase @case, Random random)
    {
        long count = @case.OutFeatures * @case.InFeatures;
        long groups = ReferenceNf4Weight.GroupCount(count, @case.GroupSize);
        var outerScales = new float[ReferenceNf4Weight.GroupCount(groups, @case.OuterGroupSize)];
        for (int i = 0; i < outerScales.Length; i++)
            outerScales[i] = Magnitude(@case) * (0.5f + 0.4f * random.NextSingle());
        return new WeightTensors
        {
            Format = WeightFormat.BitsAndBytesNf4,
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

    private static WeightTensors Q40(VerificationCase @case, Random random)
    {
        long blocks = @case.OutFeatures * @case.InFeatures / ReferenceGgufWeight.BlockSize;
        byte[] bytes = RandomBytes(random, blocks * ReferenceGgufWeight.BlockBytes);
        for (int block = 0; block < blocks; block++)
        {
            float scale = Magnitude(@case) * (random.NextSingle() - 0.5f);
            BinaryPrimitives.WriteUInt16LittleEndian(
                bytes.AsSpan(block * ReferenceGgufWeight.BlockBytes), ReferenceRounding.ToFloat16Bits(scale));
        }

        return new WeightTensors
        {
            Format = WeightFormat.GgufQ4_0,
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = ReferenceGgufWeight.BlockSize,
            Codes = bytes,
        };
    }

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

    private static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();
}
