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
        long block = row * (InFeatures / BlockSize) * BlockBytes;
        for (int first = 0; first < destination.Length; first += BlockSize, block += BlockBytes)
        {
            float d = ReferenceRounding.FromFloat16Bits((ushort)(_blocks[block] | (_blocks[block + 1] << 8)));
            for (int j = 0; j < BlockSize / 2; j++)
            {
                byte pair = _blocks[block + 2 + j];
                destination[first + j] = d * ((pair & 15) - 8);
                destination[first + 16 + j] = d * ((pair >> 4) - 8);
            }
        }
    }
}
