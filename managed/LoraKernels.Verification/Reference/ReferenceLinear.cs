using System.Numerics;

namespace LoraKernels.Verification.Reference;

/// <summary>The products every numeric check is made against: double precision, exactly dequantized weights.</summary>
public static class ReferenceLinear
{
    /// <summary><c>y = x * Wᵀ + bias</c>.</summary>
    /// <param name="x">[rows, K].</param>
    /// <param name="rows">M.</param>
    /// <param name="weight">[N, K].</param>
    /// <param name="bias">[N], or null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>[rows, N].</returns>
    public static double[] Matmul(
        double[] x, int rows, ReferenceWeight weight, double[]? bias = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        int inFeatures = checked((int)weight.InFeatures);
        int outFeatures = checked((int)weight.OutFeatures);
        if (x.LongLength != (long)rows * inFeatures)
            throw new ArgumentException($"x has {x.LongLength} elements, not {rows} * {inFeatures}.", nameof(x));

        var y = new double[(long)rows * outFeatures];
        Parallel.For(
            0,
            outFeatures,
            new ParallelOptions { CancellationToken = cancellation },
            () => (Decoded: new float[inFeatures], Row: new double[inFeatures]),
            (n, _, scratch) =>
            {
                weight.DecodeRow(n, scratch.Decoded);
                for (int k = 0; k < inFeatures; k++)
                    scratch.Row[k] = scratch.Decoded[k];
                for (int m = 0; m < rows; m++)
                {
                    double dot = Dot(x.AsSpan(m * inFeatures, inFeatures), scratch.Row);
                    y[(long)m * outFeatures + n] = bias is null ? dot : dot + bias[n];
                }

                return scratch;
            },
            _ => { });
        return y;
    }

    /// <summary>
    /// The norm of all terms x[m, k] W[n, k]: about that of <c>x * Wᵀ</c> where terms are independent of each other.
    /// </summary>
    /// <param name="x">[rows, K].</param>
    /// <param name="rows">M.</param>
    /// <param name="weight">[N, K].</param>
    public static double TermsNorm(double[] x, int rows, ReferenceWeight weight)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        int inFeatures = checked((int)weight.InFeatures);
        var squaresOfX = new double[inFeatures];
        for (int m = 0; m < rows; m++)
        {
            for (int k = 0; k < inFeatures; k++)
                squaresOfX[k] += x[(long)m * inFeatures + k] * x[(long)m * inFeatures + k];
        }
        var decoded = new float[inFeatures];
        double squares = 0;
        for (int n = 0; n < weight.OutFeatures; n++)
        {
            weight.DecodeRow(n, decoded);
            for (int k = 0; k < inFeatures; k++)
                squares += squaresOfX[k] * decoded[k] * decoded[k];
        }
        return Math.Sqrt(squares);
    }

    /// <summary><c>y = x * Wᵀ + the adapters' updates + bias</c>.</summary>
    /// <param name="x">[rows, K].</param>
    /// <param name="rows">M.</param>
    /// <param name="weight">[N, K].</param>
    /// <param name="entries">The adapters' factors for this module.</param>
    /// <param name="bias">[N], or null.</param>
    /// <param name="cancellation">Ends the work early.</param>
    /// <returns>[rows, N].</returns>
    public static double[] Linear(
        double[] x, int rows, ReferenceWeight weight, IReadOnlyList<ReferenceEntry> entries, double[]? bias = null,
        CancellationToken cancellation = default)
    {
        double[] y = Matmul(x, rows, weight, null, cancellation);
        ReferenceLora.Apply(x, (int)weight.InFeatures, entries, y, (int)weight.OutFeatures);
        for (int i = 0; bias is not null && i < y.Length; i++)
            y[i] += bias[i % bias.Length];
        return y;
    }

    // Four independent sums keep the adders busy; the order of a sum in double precision is far below any limit here.
    private static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        int width = Vector<double>.Count;
        int k = 0;
        Vector<double> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        for (; k + 4 * width <= a.Length; k += 4 * width)
        {
            sum0 += new Vector<double>(a[k..]) * new Vector<double>(b[k..]);
            sum1 += new Vector<double>(a[(k + width)..]) * new Vector<double>(b[(k + width)..]);
            sum2 += new Vector<double>(a[(k + 2 * width)..]) * new Vector<double>(b[(k + 2 * width)..]);
            sum3 += new Vector<double>(a[(k + 3 * width)..]) * new Vector<double>(b[(k + 3 * width)..]);
        }

        double sum = Vector.Sum((sum0 + sum1) + (sum2 + sum3));
        for (; k < a.Length; k++)
            sum += a[k] * b[k];
        return sum;
    }
}
