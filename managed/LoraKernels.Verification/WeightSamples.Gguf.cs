using System.Buffers.Binary;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <content>GGUF's blocks.</content>
internal static partial class WeightSamples
{
    private static WeightTensors Q40(VerificationCase @case, Random random)
    {
        byte[] blocks = Blocks(@case, random, ReferenceGgufWeight.BlockSize, 18);
        for (int block = 0; block < blocks.Length; block += 18)
            WriteFloat16(blocks, block, Scale(random, Magnitude(@case) / 8));
        return Gguf(@case, WeightFormat.GgufQ4_0, blocks);
    }

    private static WeightTensors Q41(VerificationCase @case, Random random)
    {
        byte[] blocks = Blocks(@case, random, ReferenceGgufWeight.BlockSize, 20);
        for (int block = 0; block < blocks.Length; block += 20)
        {
            WriteFloat16(blocks, block, Scale(random, Magnitude(@case) / 8));
            WriteFloat16(blocks, block + 2, Scale(random, Magnitude(@case)));
        }

        return Gguf(@case, WeightFormat.GgufQ4_1, blocks);
    }

    private static WeightTensors Iq4Nl(VerificationCase @case, Random random)
    {
        byte[] blocks = Blocks(@case, random, ReferenceGgufWeight.BlockSize, 18);
        for (int block = 0; block < blocks.Length; block += 18)
            WriteFloat16(blocks, block, Scale(random, Magnitude(@case) / 128));
        return Gguf(@case, WeightFormat.GgufIq4Nl, blocks);
    }

    private static WeightTensors Q4K(VerificationCase @case, Random random)
    {
        const int BlockBytes = ReferenceQ4KWeight.BlockBytes;
        byte[] blocks = Blocks(@case, random, ReferenceQ4KWeight.BlockSize, BlockBytes);
        for (int block = 0; block < blocks.Length; block += BlockBytes)
        {
            WriteFloat16(blocks, block, Scale(random, Magnitude(@case) / (8 * 32)));
            WriteFloat16(blocks, block + 2, Scale(random, Magnitude(@case) / 32));
        }

        return Gguf(@case, WeightFormat.GgufQ4_K, blocks);
    }

    private static WeightTensors GgufMxfp4(VerificationCase @case, Random random)
    {
        const int BlockBytes = 17;
        byte[] blocks = Blocks(@case, random, 32, BlockBytes);
        for (int block = 0; block < blocks.Length; block += BlockBytes)
            blocks[block] = Exponent(@case, random);
        return Gguf(@case, WeightFormat.GgufMxfp4, blocks);
    }

    private static WeightTensors GgufNvfp4(VerificationCase @case, Random random)
    {
        const int BlockBytes = 36;
        byte[] blocks = Blocks(@case, random, 64, BlockBytes);
        for (int block = 0; block < blocks.Length; block += BlockBytes)
        {
            for (int group = 0; group < 4; group++)
                blocks[block + group] = (byte)random.Next(0x7F);
        }

        return Gguf(@case, WeightFormat.GgufNvfp4, blocks, groupSize: 16, Magnitude(@case) / 100 * (1 + random.NextSingle()));
    }

    // Random bytes but for the f16 scales, and for numbers themselves.
    private static WeightTensors Mixed(
        VerificationCase @case, Random random, ReferenceGgufMixedType type, WeightFormat format, int groupSize)
    {
        (int size, int bytes) = ReferenceGgufMixedWeight.Block(type);
        byte[] blocks = Blocks(@case, random, size, bytes);
        float magnitude = Magnitude(@case);
        (int Offset, float Magnitude)[] scales = type switch
        {
            ReferenceGgufMixedType.F16 => [(0, magnitude)],
            ReferenceGgufMixedType.Q50 => [(0, magnitude / 16)],
            ReferenceGgufMixedType.Q51 => [(0, magnitude / 16), (2, magnitude)],
            ReferenceGgufMixedType.Q80 => [(0, magnitude / 128)],
            ReferenceGgufMixedType.Q2K => [(80, magnitude / (2 * 8)), (82, magnitude / 8)],
            ReferenceGgufMixedType.Q3K => [(108, magnitude / (4 * 32))],
            ReferenceGgufMixedType.Q5K => [(0, magnitude / (16 * 32)), (2, magnitude / 32)],
            ReferenceGgufMixedType.Q6K => [(208, magnitude / (32 * 128))],
            ReferenceGgufMixedType.Iq4Xs => [(0, magnitude / (32 * 128))],
            _ => [],
        };
        for (int block = 0; block < blocks.Length; block += bytes)
        {
            foreach ((int offset, float scale) in scales)
                WriteFloat16(blocks, block + offset, Scale(random, scale));
            if (type == ReferenceGgufMixedType.F32)
                BinaryPrimitives.WriteSingleLittleEndian(blocks.AsSpan(block), Scale(random, magnitude));
            if (type == ReferenceGgufMixedType.BF16)
                BinaryPrimitives.WriteUInt16LittleEndian(blocks.AsSpan(block), ((BFloat16)Scale(random, magnitude)).Bits);
        }

        return Gguf(@case, format, blocks, groupSize);
    }

    private static byte[] Blocks(VerificationCase @case, Random random, int blockSize, int blockBytes) =>
        RandomBytes(random, @case.OutFeatures * @case.InFeatures / blockSize * blockBytes);

    private static WeightTensors Gguf(
        VerificationCase @case, WeightFormat format, byte[] blocks, int groupSize = 32, float tensorScale = 0) => new()
        {
            Format = format,
            OutFeatures = @case.OutFeatures,
            InFeatures = @case.InFeatures,
            GroupSize = groupSize,
            TensorScale = tensorScale,
            Codes = blocks,
        };

    private static void WriteFloat16(byte[] bytes, int offset, float value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(offset), ReferenceRounding.ToFloat16Bits(value));
}
