namespace LoraKernels.Verification.Reference;

/// <summary>
/// compressed-tensors pack-quantized: <c>W[n, k] = (q - z) * scale[n, g]</c>. Codes and zero points are stored plus 8,
/// eight to a word from its lowest bits on: codes along k, zero points along n. <c>g</c> is <c>k / groupSize</c> or, with
/// act-order, given for each k.
/// </summary>
public sealed class ReferenceInt4Weight : ReferenceWeight
{
    private readonly long _groupSize;
    private readonly long _groups;
    private readonly uint[] _codes;
    private readonly float[] _scales;
    private readonly uint[]? _zeroPoints;
    private readonly int[]? _groupIndex;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K.</param>
    /// <param name="groupSize">Weights per scale.</param>
    /// <param name="codes">[N, ceil(K / 8)].</param>
    /// <param name="scales">[N, ceil(K / groupSize)].</param>
    /// <param name="zeroPoints">[ceil(N / 8), ceil(K / groupSize)]; null: all 0, stored as 8.</param>
    /// <param name="groupIndex">[K]; null: no act-order.</param>
    public ReferenceInt4Weight(
        long outFeatures, long inFeatures, long groupSize, uint[] codes, float[] scales, uint[]? zeroPoints = null,
        int[]? groupIndex = null)
        : base(outFeatures, inFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(scales);
        _groups = (inFeatures + groupSize - 1) / groupSize;
        CheckLength(nameof(codes), codes.LongLength, outFeatures * ((inFeatures + 7) / 8));
        CheckLength(nameof(scales), scales.LongLength, outFeatures * _groups);
        if (zeroPoints is not null)
            CheckLength(nameof(zeroPoints), zeroPoints.LongLength, (outFeatures + 7) / 8 * _groups);
        if (groupIndex is not null)
            CheckLength(nameof(groupIndex), groupIndex.LongLength, inFeatures);
        _groupSize = groupSize;
        _codes = codes;
        _scales = scales;
        _zeroPoints = zeroPoints;
        _groupIndex = groupIndex;
    }

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        long words = (InFeatures + 7) / 8;
        for (int k = 0; k < destination.Length; k++)
        {
            long group = _groupIndex is null ? k / _groupSize : _groupIndex[k];
            int code = Nibble(_codes[row * words + k / 8], k % 8);
            int zero = _zeroPoints is null ? 8 : Nibble(_zeroPoints[row / 8 * _groups + group], row % 8);
            destination[k] = (code - zero) * _scales[row * _groups + group];
        }
    }

    private static int Nibble(uint word, long index) => (int)(word >> (int)(4 * index)) & 15;
}
