namespace LoraKernels.Verification.Reference;

/// <summary>
/// Quantization to compressed-tensors' pack-quantized by its calculate_qparams and quantize, in fp32: scale and zero
/// point from a group's lowest and highest weight and 0, codes by division.
/// </summary>
public static class ReferenceInt4Quantizer
{
    private const int Lowest = -8;
    private const int Highest = 7;

    /// <summary>Quantizes a weight, row by row.</summary>
    /// <param name="weights">[N, K], finite.</param>
    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K.</param>
    /// <param name="groupSize">Weights per scale; the last group of a row may be smaller.</param>
    /// <param name="withZeroPoints">Whether groups have zero points.</param>
    /// <param name="scaleType">What scales are rounded to.</param>
    /// <returns>
    /// Codes [N, ceil(K / 8)], scales [N, ceil(K / groupSize)], and zero points [ceil(N / 8), ceil(K / groupSize)], which
    /// are of no meaning without zero points.
    /// </returns>
    public static (uint[] Codes, float[] Scales, uint[] ZeroPoints) Quantize(
        ReadOnlySpan<float> weights, long outFeatures, long inFeatures, long groupSize, bool withZeroPoints,
        ReferenceDType scaleType)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        long words = (inFeatures + 7) / 8;
        long groups = (inFeatures + groupSize - 1) / groupSize;
        var codes = new uint[outFeatures * words];
        var scales = new float[outFeatures * groups];
        var zeroPoints = new uint[(outFeatures + 7) / 8 * groups];
        for (long row = 0; row < outFeatures; row++)
        {
            for (long group = 0; group < groups; group++)
            {
                long first = group * groupSize;
                int count = (int)Math.Min(groupSize, inFeatures - first);
                ReadOnlySpan<float> members = weights.Slice((int)(row * inFeatures + first), count);
                (float scale, int zero) = Parameters(members, withZeroPoints, scaleType);
                scales[row * groups + group] = scale;
                zeroPoints[row / 8 * groups + group] |= (uint)(zero - Lowest) << (int)(4 * (row % 8));
                for (int i = 0; i < count; i++)
                {
                    long k = first + i;
                    int code = Code(members[i], scale, zero);
                    codes[row * words + k / 8] |= (uint)(code - Lowest) << (int)(4 * (k % 8));
                }
            }
        }

        return (codes, scales, zeroPoints);
    }

    /// <summary>The scale and the zero, −8 … 7, of a group; 0 without zero points.</summary>
    public static (float Scale, int Zero) Parameters(
        ReadOnlySpan<float> members, bool withZeroPoints, ReferenceDType scaleType)
    {
        float lowest = 0;
        float highest = 0;
        foreach (float weight in members)
        {
            lowest = MathF.Min(lowest, weight);
            highest = MathF.Max(highest, weight);
        }

        float range = withZeroPoints
            ? (highest - lowest) / 15
            : MathF.Max(MathF.Abs(lowest), MathF.Abs(highest)) / 7.5f;
        float scale = ReferenceRounding.Round(range, scaleType);
        if (scale == 0)
        {
            scale = scaleType switch
            {
                ReferenceDType.F16 => 0.0009765625f,
                ReferenceDType.BF16 => 0.0078125f,
                _ => 1.1920929e-07f,
            };
        }

        return (scale, withZeroPoints ? Nearest(Lowest - lowest / scale) : 0);
    }

    /// <summary>The code of a weight, −8 … 7.</summary>
    public static int Code(float weight, float scale, int zero) => Nearest(weight / scale + zero);

    private static int Nearest(float value) =>
        (int)MathF.Round(Math.Clamp(value, Lowest, Highest), MidpointRounding.ToEven);
}
