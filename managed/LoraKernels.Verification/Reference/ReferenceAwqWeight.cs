namespace LoraKernels.Verification.Reference;

/// <summary>
/// AWQ, GEMM version: <c>W[n, k] = (q - z) * scale[g, n]</c>, <c>g = k / groupSize</c>. Nibble <c>i</c> of a word holds
/// column <c>8 j + [0, 2, 4, 6, 1, 3, 5, 7][i]</c>, in the codes and in the zero points.
/// </summary>
public sealed class ReferenceAwqWeight : ReferenceWeight
{
    private static readonly int[] ColumnOfNibble = [0, 2, 4, 6, 1, 3, 5, 7];

    private readonly long _groupSize;
    private readonly uint[] _qweight;
    private readonly uint[] _qzeros;
    private readonly float[] _scales;

    /// <param name="outFeatures">N, a multiple of 8.</param>
    /// <param name="inFeatures">K.</param>
    /// <param name="groupSize">Weights per scale.</param>
    /// <param name="qweight">[K, N / 8].</param>
    /// <param name="qzeros">[G, N / 8].</param>
    /// <param name="scales">[G, N].</param>
    public ReferenceAwqWeight(
        long outFeatures, long inFeatures, long groupSize, uint[] qweight, uint[] qzeros, float[] scales)
        : base(outFeatures, inFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        ArgumentNullException.ThrowIfNull(qweight);
        ArgumentNullException.ThrowIfNull(qzeros);
        ArgumentNullException.ThrowIfNull(scales);
        long groups = (inFeatures + groupSize - 1) / groupSize;
        CheckLength(nameof(qweight), qweight.LongLength, inFeatures * (outFeatures / 8));
        CheckLength(nameof(qzeros), qzeros.LongLength, groups * (outFeatures / 8));
        CheckLength(nameof(scales), scales.LongLength, groups * outFeatures);
        _groupSize = groupSize;
        _qweight = qweight;
        _qzeros = qzeros;
        _scales = scales;
    }

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        int shift = 4 * Array.IndexOf(ColumnOfNibble, (int)(row % 8));
        long words = OutFeatures / 8;
        for (int k = 0; k < destination.Length; k++)
        {
            long group = k / _groupSize;
            int code = (int)(_qweight[k * words + row / 8] >> shift) & 15;
            int zero = (int)(_qzeros[group * words + row / 8] >> shift) & 15;
            destination[k] = (code - zero) * _scales[group * OutFeatures + row];
        }
    }
}
