namespace LoraKernels.Verification.Reference;

/// <summary>
/// GGUF Q4_K: blocks of 256 weights in 144 bytes: f16 <c>d</c>, f16 <c>dmin</c>, 12 bytes with 8 scales and 8 minimums
/// of 6 bits, 128 bytes of nibbles. <c>W = (d * scale) * q - dmin * minimum</c> by groups of 32; 32 bytes hold group
/// <c>2i</c> in their low nibbles and group <c>2i + 1</c> in their high ones.
/// </summary>
public sealed class ReferenceQ4KWeight : ReferenceWeight
{
    /// <summary>Weights per block.</summary>
    public const int BlockSize = 256;

    /// <summary>Bytes per block.</summary>
    public const int BlockBytes = 144;

    private readonly byte[] _blocks;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K, a multiple of 256.</param>
    /// <param name="blocks">[N * K / 256 * 144].</param>
    public ReferenceQ4KWeight(long outFeatures, long inFeatures, byte[] blocks)
        : base(outFeatures, inFeatures)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        if (inFeatures % BlockSize != 0)
            throw new ArgumentException($"{inFeatures} is not a multiple of {BlockSize}.", nameof(inFeatures));
        CheckLength(nameof(blocks), blocks.LongLength, outFeatures * inFeatures / BlockSize * BlockBytes);
        _blocks = blocks;
    }

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        long first = row * (InFeatures / BlockSize) * BlockBytes;
        for (int k = 0; k < destination.Length; k++)
        {
            long block = first + k / BlockSize * BlockBytes;
            int group = k % BlockSize / 32;
            byte pair = _blocks[block + 16 + group / 2 * 32 + k % 32];
            int code = group % 2 == 0 ? pair & 15 : pair >> 4;
            (int scale, int minimum) = ScaleAndMinimum(_blocks.AsSpan((int)block + 4, 12), group);
            float product = ReferenceRounding.ReadFloat16(_blocks, block) * scale * code;
            destination[k] = product - ReferenceRounding.ReadFloat16(_blocks, block + 2) * minimum;
        }
    }

    private static (int Scale, int Minimum) ScaleAndMinimum(ReadOnlySpan<byte> bits, int j) => j < 4
        ? (bits[j] & 63, bits[j + 4] & 63)
        : ((bits[j + 4] & 15) | ((bits[j - 4] >> 6) << 4), (bits[j + 4] >> 4) | ((bits[j] >> 6) << 4));
}
