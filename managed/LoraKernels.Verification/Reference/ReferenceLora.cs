namespace LoraKernels.Verification.Reference;

/// <summary>
/// One low-rank update of the columns [offset, offset + size): <c>y = columnScale * (y + scale * ((x * Aᵀ) * Bᵀ + bias))</c>.
/// </summary>
/// <param name="Offset">First column that changes.</param>
/// <param name="Size">How many change.</param>
/// <param name="Rank">Rows of A, columns of B.</param>
/// <param name="A">[rank, in].</param>
/// <param name="B">[size, rank].</param>
/// <param name="Scale">alpha / rank, or what the adapter says.</param>
/// <param name="Bias">[size], or null.</param>
/// <param name="ColumnScale">[size], or null: DoRA's magnitude / ‖W + scale * B * A‖ of each row.</param>
public sealed record ReferenceFactors(
    int Offset, int Size, int Rank, float[] A, float[] B, float Scale, float[]? Bias = null, double[]? ColumnScale = null)
{
    /// <summary>The update with DoRA's magnitudes over the base's rows.</summary>
    /// <param name="weight">The module's weight; the update begins at its row <see cref="Offset"/>.</param>
    /// <param name="magnitude">[size].</param>
    public ReferenceFactors WithMagnitude(ReferenceWeight weight, float[] magnitude)
    {
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(magnitude);
        var row = new float[weight.InFeatures];
        var scales = new double[Size];
        for (int n = 0; n < Size; n++)
        {
            weight.DecodeRow(Offset + n, row);
            double squares = 0;
            for (int k = 0; k < row.Length; k++)
            {
                double update = 0;
                for (int r = 0; r < Rank; r++)
                    update += (double)B[(long)n * Rank + r] * A[(long)r * row.Length + k];
                double sum = row[k] + Scale * update;
                squares += sum * sum;
            }

            scales[n] = magnitude[n] / Math.Sqrt(squares);
        }

        return this with { ColumnScale = scales };
    }
}

/// <summary>An adapter on a row.</summary>
/// <param name="Row">The row of x and y.</param>
/// <param name="Factors">What the adapter has for the module, slices ascending; empty if it leaves it alone.</param>
/// <param name="Weight">Multiplies the update.</param>
public sealed record ReferenceEntry(int Row, IReadOnlyList<ReferenceFactors> Factors, float Weight = 1)
{
    /// <summary>Sum of the ranks.</summary>
    public int Columns => Factors.Sum(factors => factors.Rank);
}

/// <summary>LoRA in double precision, entry by entry.</summary>
public static class ReferenceLora
{
    /// <summary><c>s[e] = x[row of e] * Aᵀ</c>, the slices' ranks one after the other, then zeros.</summary>
    /// <param name="x">[rows, inFeatures].</param>
    /// <param name="inFeatures">K.</param>
    /// <param name="entries">Any number; in order.</param>
    /// <param name="columns">Columns of s, at least the largest <see cref="ReferenceEntry.Columns"/>.</param>
    /// <returns>[entries, columns].</returns>
    public static double[] Shrink(
        double[] x, int inFeatures, IReadOnlyList<ReferenceEntry> entries, int columns)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(entries);
        var s = new double[(long)entries.Count * columns];
        Parallel.For(0, entries.Count, e =>
        {
            ReadOnlySpan<double> row = x.AsSpan(entries[e].Row * inFeatures, inFeatures);
            int column = e * columns;
            foreach (ReferenceFactors factors in entries[e].Factors)
            {
                for (int r = 0; r < factors.Rank; r++)
                {
                    double sum = 0;
                    for (int k = 0; k < inFeatures; k++)
                        sum += row[k] * factors.A[(long)r * inFeatures + k];
                    s[column++] = sum;
                }
            }
        });
        return s;
    }

    /// <summary><c>y[row of e] += weight * scale * s[e] * Bᵀ</c>, with bias and column scale.</summary>
    /// <param name="s">[entries, columns], as <see cref="Shrink"/> gives it.</param>
    /// <param name="columns">Columns of s.</param>
    /// <param name="entries">Any number; in order.</param>
    /// <param name="y">[rows, outFeatures]; changed.</param>
    /// <param name="outFeatures">N.</param>
    public static void Expand(
        double[] s, int columns, IReadOnlyList<ReferenceEntry> entries, double[] y, int outFeatures)
    {
        ArgumentNullException.ThrowIfNull(s);
        ArgumentNullException.ThrowIfNull(entries);
        ArgumentNullException.ThrowIfNull(y);
        for (int e = 0; e < entries.Count; e++)
        {
            ReferenceEntry entry = entries[e];
            int column = e * columns;
            foreach (ReferenceFactors factors in entry.Factors)
            {
                long first = (long)entry.Row * outFeatures + factors.Offset;
                for (int n = 0; n < factors.Size; n++)
                {
                    double sum = 0;
                    for (int r = 0; r < factors.Rank; r++)
                        sum += s[column + r] * factors.B[(long)n * factors.Rank + r];
                    if (factors.Bias is not null)
                        sum += factors.Bias[n];
                    y[first + n] += (double)entry.Weight * factors.Scale * sum;
                    if (factors.ColumnScale is not null)
                        y[first + n] *= factors.ColumnScale[n];
                }

                column += factors.Rank;
            }
        }
    }

    /// <summary>Shrink, then expand.</summary>
    /// <param name="x">[rows, inFeatures].</param>
    /// <param name="inFeatures">K.</param>
    /// <param name="entries">Any number; in order.</param>
    /// <param name="y">[rows, outFeatures]; changed.</param>
    /// <param name="outFeatures">N.</param>
    public static void Apply(
        double[] x, int inFeatures, IReadOnlyList<ReferenceEntry> entries, double[] y, int outFeatures)
    {
        ArgumentNullException.ThrowIfNull(entries);
        int columns = entries.Count == 0 ? 0 : entries.Max(entry => entry.Columns);
        Expand(Shrink(x, inFeatures, entries, columns), columns, entries, y, outFeatures);
    }
}
