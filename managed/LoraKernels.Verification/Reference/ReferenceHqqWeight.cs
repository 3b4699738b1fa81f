namespace LoraKernels.Verification.Reference;

/// <summary>
/// HQQ with groups along k: the weight as a matrix <c>[R = N K / g, g]</c>, <c>W = (q - zero[r]) * scale[r]</c>. Row
/// <c>i</c> of the codes holds row <c>i</c> in its high nibbles and row <c>i + R / 2</c> in its low ones.
/// </summary>
public sealed class ReferenceHqqWeight : ReferenceWeight
{
    private readonly long _groupSize;
    private readonly byte[] _codes;
    private readonly float[] _scales;
    private readonly float[] _zeros;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K, a multiple of the group size.</param>
    /// <param name="groupSize">g, weights per scale.</param>
    /// <param name="codes">[R / 2, g].</param>
    /// <param name="scales">[R].</param>
    /// <param name="zeros">[R].</param>
    public ReferenceHqqWeight(
        long outFeatures, long inFeatures, long groupSize, byte[] codes, float[] scales, float[] zeros)
        : base(outFeatures, inFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(scales);
        ArgumentNullException.ThrowIfNull(zeros);
        CheckLength(nameof(codes), codes.LongLength, outFeatures * inFeatures / 2);
        CheckLength(nameof(scales), scales.LongLength, outFeatures * inFeatures / groupSize);
        CheckLength(nameof(zeros), zeros.LongLength, scales.LongLength);
        _groupSize = groupSize;
        _codes = codes;
        _scales = scales;
        _zeros = zeros;
    }

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        long half = _scales.LongLength / 2;
        for (int k = 0; k < destination.Length; k++)
        {
            long r = (row * InFeatures + k) / _groupSize;
            long column = (row * InFeatures + k) % _groupSize;
            int code = r < half
                ? _codes[r * _groupSize + column] >> 4
                : _codes[(r - half) * _groupSize + column] & 15;
            float centred = code - _zeros[r];
            destination[k] = centred * _scales[r];
        }
    }
}
