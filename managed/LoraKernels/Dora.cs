using System.Numerics.Tensors;

namespace LoraKernels;

/// <summary>
/// DoRA's norms: a linear whose adapter has magnitudes m computes m / ‖W + scale · B · A‖ ⊙ (x · Wᵀ + scale · (x · Aᵀ) · Bᵀ),
/// with the norm of each row (Liu et al., arXiv:2402.09353; PEFT's <c>use_dora</c>).
/// </summary>
public static class Dora
{
    // Sums of squares are fp32 within so many elements.
    private const int Block = 256;

    /// <summary>What the columns of the output are multiplied by: m / ‖W + scale · B · A‖, row by row.</summary>
    /// <param name="weight">The layer's weight.</param>
    /// <param name="factors">An update with magnitudes, [N] of the weight.</param>
    /// <param name="stream">On which stream; null for the weight's device's default one.</param>
    /// <returns>[N]. The weight is dequantized to fp32 once, on its device and in host memory.</returns>
    /// <exception cref="ArgumentException">
    /// An update without magnitudes or of another shape; a row whose norm is 0 or not finite, which is named.
    /// </exception>
    /// <exception cref="LoraKernelsException">The device has no memory for the dequantized weight.</exception>
    public static float[] ColumnScales(QuantizedWeight weight, LoraFactors factors, DeviceStream? stream = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(factors);
        if (factors.B.Rows != weight.OutFeatures)
        {
            throw new ArgumentException(
                $"'{factors.Module}': B has {factors.B.Rows} rows, the weight {weight.OutFeatures}", nameof(factors));
        }
        return ColumnScales(Dequantize(weight, stream), factors, 0, 0, factors.B.Rows);
    }

    internal static float[] Dequantize(QuantizedWeight weight, DeviceStream? stream)
    {
        using DeviceTensor<float> dequantized = weight.Device.Allocate<float>(weight.OutFeatures, weight.InFeatures);
        weight.Dequantize(dequantized, stream);
        return dequantized.ToArray(stream);
    }

    /// <summary>The scales of some rows of the update.</summary>
    /// <param name="weight">The dequantized weight, row by row.</param>
    /// <param name="factors">The update.</param>
    /// <param name="firstWeightRow">The weight's row that the first of them belongs to.</param>
    /// <param name="firstRow">The first of them.</param>
    /// <param name="rows">How many.</param>
    internal static float[] ColumnScales(
        float[] weight, LoraFactors factors, long firstWeightRow, long firstRow, long rows)
    {
        if (factors.Magnitude is null)
            throw new ArgumentException($"'{factors.Module}' has no magnitude", nameof(factors));
        int inFeatures = checked((int)factors.A.Columns);
        int rank = checked((int)factors.Rank);
        float[] a = factors.A.ToSingles(), b = factors.B.ToSingles(), magnitude = factors.Magnitude.ToSingles();
        var scales = new float[rows];
        Parallel.For(0, rows, () => new float[inFeatures], (n, _, row) =>
        {
            weight.AsSpan(checked((int)((firstWeightRow + n) * inFeatures)), inFeatures).CopyTo(row);
            for (int r = 0; r < rank; r++)
            {
                float factor = factors.Scale * b[(firstRow + n) * rank + r];
                TensorPrimitives.MultiplyAdd(a.AsSpan(r * inFeatures, inFeatures), factor, row, row);
            }
            scales[n] = (float)(magnitude[firstRow + n] / Norm(row));
            return row;
        }, _ => { });
        int bad = Array.FindIndex(scales, scale => !float.IsFinite(scale));
        return bad < 0 ? scales : throw new ArgumentException(
            $"'{factors.Module}': row {firstRow + bad} of W + scale · B · A has the norm 0, or it or the magnitude "
            + $"{magnitude[firstRow + bad]} is not finite",
            nameof(factors));
    }

    private static double Norm(ReadOnlySpan<float> row)
    {
        double sum = 0;
        for (int first = 0; first < row.Length; first += Block)
            sum += TensorPrimitives.SumOfSquares(row.Slice(first, Math.Min(Block, row.Length - first)));
        return Math.Sqrt(sum);
    }
}
