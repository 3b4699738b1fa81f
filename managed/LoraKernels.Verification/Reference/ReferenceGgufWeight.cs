namespace LoraKernels.Verification.Reference;

/// <summary>
/// GGUF types with rows of blocks of 32 weights. A block is a little-endian f16 <c>d</c>, in Q4_1 an f16 <c>m</c>, then
/// 16 bytes: byte <c>j</c> holds element <c>j</c> in its low nibble and element <c>j + 16</c> in its high one.
/// </summary>
public sealed class ReferenceGgufWeight : ReferenceWeight
{
    /// <summary>Weights per block.</summary>
    public const int BlockSize = 32;

    private static readonly float[] Iq4NlValues =
        [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    private readonly ReferenceGgufType _type;
    private readonly byte[] _blocks;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K, a multiple of 32.</param>
    /// <param name="blocks">[N * K / 32 * <see cref="BlockBytes"/>].</param>
    /// <param name="type">What blocks hold.</param>
    public ReferenceGgufWeight(
        long outFeatures, long inFeatures, byte[] blocks, ReferenceGgufType type = ReferenceGgufType.Q40)
        : base(outFeatures, inFeatures)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        if (inFeatures % BlockSize != 0)
            throw new ArgumentException($"{inFeatures} is not a multiple of {BlockSize}.", nameof(inFeatures));
        CheckLength(nameof(blocks), blocks.LongLength, outFeatures * inFeatures / BlockSize * BlockBytes(type));
        _type = type;
        _blocks = blocks;
    }

    /// <summary>Bytes per block.</summary>
    public static int BlockBytes(ReferenceGgufType type) => type == ReferenceGgufType.Q41 ? 20 : 18;

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        int blockBytes = BlockBytes(_type);
        long block = row * (InFeatures / BlockSize) * blockBytes;
        for (int first = 0; first < destination.Length; first += BlockSize, block += blockBytes)
        {
            for (int j = 0; j < BlockSize / 2; j++)
            {
                byte pair = _blocks[block + blockBytes - 16 + j];
                destination[first + j] = Value(block, pair & 15);
                destination[first + 16 + j] = Value(block, pair >> 4);
            }
        }
    }

    private float Value(long block, int code)
    {
        float d = ReferenceRounding.ReadFloat16(_blocks, block);
        if (_type == ReferenceGgufType.Q40)
            return d * (code - 8);
        if (_type == ReferenceGgufType.Iq4Nl)
            return d * Iq4NlValues[code];
        float product = d * code;
        return product + ReferenceRounding.ReadFloat16(_blocks, block + 2);
    }
}
