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

    private static byte[] Blocks(VerificationCase @case, Random random, int blockSize, int blockBytes) =>
        RandomBytes(random, @case.OutFeatures * @case.InFeatures / blockSize * blockBytes);

    private static WeightTensors Gguf(VerificationCase @case, WeightFormat format, byte[] blocks) => new()
    {
        Format = format,
        OutFeatures = @case.OutFeatures,
        InFeatures = @case.InFeatures,
        GroupSize = 32,
        Codes = blocks,
    };

    private static void WriteFloat16(byte[] bytes, int offset, float value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(offset), ReferenceRounding.ToFloat16Bits(value));
}
