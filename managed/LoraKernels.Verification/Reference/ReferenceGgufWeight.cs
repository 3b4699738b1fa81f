namespace LoraKernels.Verification.Reference;

/// <summary>
/// GGUF Q4_0: rows of 18-byte blocks of 32 weights, <c>W = d * (q - 8)</c>. A block is a little-endian f16 <c>d</c>,
/// then 16 bytes: byte <c>j</c> holds element <c>j</c> in its low nibble and element <c>j + 16</c> in its high one.
/// </summary>
public sealed class ReferenceGgufWeight : ReferenceWeight
{
    /// <summary>Weights per block.</summary>
    public const int BlockSize = 32;

    /// <summary>Bytes per block.</summary>
    public const int BlockBytes = 18;

    private readonly byte[] _blocks;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K, a multiple of 32.</param>
    /// <param name="blocks">[N * K / 32 * 18].</param>
    public ReferenceGgufWeight(long outFeatures, long inFeatures, byte[] blocks)
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
        long blocksPerRow = InFeatures / BlockSize;
        for (int k = 0; k < destination.Length; k++)
        {
            long block = (row * blocksPerRow + k / BlockSize) * BlockBytes;
            float d = ReferenceRounding.FromFloat16Bits((ushort)(_blocks[block] | (_blocks[block + 1] << 8)));
            int element = k % BlockSize;
            byte pair = _blocks[block + 2 + element % 16];
            int code = element < 16 ? pair & 15 : pair >> 4;
            destination[k] = d * (code - 8);
        }
    }
}
