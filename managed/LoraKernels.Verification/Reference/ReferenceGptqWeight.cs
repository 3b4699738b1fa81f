namespace LoraKernels.Verification.Reference;

/// <summary>
/// GPTQ: <c>W[n, k] = (q - zero) * scale[g, n]</c>, <c>q = (qweight[k / 8, n] >> 4 (k % 8)) &amp; 15</c>,
/// <c>zero = ((qzeros[g, n / 8] >> 4 (n % 8)) &amp; 15) + 1</c>, without the 1 in the second version of the format;
/// <c>g</c> is <c>k / groupSize</c>, or with act-order given for each k.
/// </summary>
public sealed class ReferenceGptqWeight : ReferenceWeight
{
    private readonly long _groupSize;
    private readonly uint[] _qweight;
    private readonly uint[] _qzeros;
    private readonly float[] _scales;
    private readonly int[]? _groupIndex;
    private readonly int _zeroBias;

    /// <param name="outFeatures">N, a multiple of 8.</param>
    /// <param name="inFeatures">K, a multiple of 8.</param>
    /// <param name="groupSize">Weights per scale.</param>
    /// <param name="qweight">[K / 8, N].</param>
    /// <param name="qzeros">[G, N / 8].</param>
    /// <param name="scales">[G, N].</param>
    /// <param name="groupIndex">[K]; null: no act-order.</param>
    /// <param name="version">1 or 2.</param>
    public ReferenceGptqWeight(
        long outFeatures, long inFeatures, long groupSize, uint[] qweight, uint[] qzeros, float[] scales,
        int[]? groupIndex, int version)
        : base(outFeatures, inFeatures)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        ArgumentNullException.ThrowIfNull(qweight);
        ArgumentNullException.ThrowIfNull(qzeros);
        ArgumentNullException.ThrowIfNull(scales);
        long groups = (inFeatures + groupSize - 1) / groupSize;
        CheckLength(nameof(qweight), qweight.LongLength, inFeatures / 8 * outFeatures);
        CheckLength(nameof(qzeros), qzeros.LongLength, groups * (outFeatures / 8));
        CheckLength(nameof(scales), scales.LongLength, groups * outFeatures);
        if (groupIndex is not null)
            CheckLength(nameof(groupIndex), groupIndex.LongLength, inFeatures);
        _groupSize = groupSize;
        _qweight = qweight;
        _qzeros = qzeros;
        _scales = scales;
        _groupIndex = groupIndex;
        _zeroBias = version == 1 ? 1 : 0;
    }

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        for (int k = 0; k < destination.Length; k++)
        {
            long group = _groupIndex is null ? k / _groupSize : _groupIndex[k];
            int code = (int)(_qweight[k / 8 * OutFeatures + row] >> (4 * (k % 8))) & 15;
            int zero = ((int)(_qzeros[group * (OutFeatures / 8) + row / 8] >> (int)(4 * (row % 8))) & 15) + _zeroBias;
            destination[k] = (code - zero) * _scales[group * OutFeatures + row];
        }
    }
}
