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
