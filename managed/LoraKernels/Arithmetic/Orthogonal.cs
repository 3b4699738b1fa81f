using System.Numerics.Tensors;

namespace LoraKernels;

/// <summary>Orthogonal factors of small sets of columns, in double precision.</summary>
internal static class Orthogonal
{
    // Of a column's length: what is left of one that the others span.
    private const double Negligible = 1e-13;
    private const double Converged = 1e-13;
    private const int MostSweeps = 60;

    /// <summary>
    /// Gram-Schmidt, twice over. The columns become orthonormal, or 0 where the ones before span them.
    /// </summary>
    /// <returns>The upper triangle R: the columns were the new ones times R.</returns>
    public static double[,] Factor(double[][] columns)
    {
        var upper = new double[columns.Length, columns.Length];
        for (int c = 0; c < columns.Length; c++)
        {
            double before = Math.Sqrt(Dot(columns[c], columns[c]));
            for (int pass = 0; pass < 2; pass++)
            {
                for (int i = 0; i < c; i++)
                {
                    double part = Dot(columns[i], columns[c]);
                    upper[i, c] += part;
                    TensorPrimitives.MultiplyAdd(columns[i], -part, columns[c], columns[c]);
                }
            }
            double norm = Math.Sqrt(Dot(columns[c], columns[c]));
            if (norm <= Negligible * before)
            {
                Array.Clear(columns[c]);
                continue;
            }
            upper[c, c] = norm;
            TensorPrimitives.Divide(columns[c], norm, columns[c]);
        }
        return upper;
    }

    /// <summary>
    /// One-sided Jacobi (Hestenes 1958): rotates a square matrix's columns until they are orthogonal. They become U · S.
    /// </summary>
    /// <returns>The columns of V.</returns>
    public static double[][] Jacobi(double[][] columns)
    {
        int count = columns.Length;
        double[][] right = new double[count][];
        for (int c = 0; c < count; c++)
        {
            right[c] = new double[count];
            right[c][c] = 1;
        }
        bool rotated = true;
        for (int sweep = 0; rotated && sweep < MostSweeps; sweep++)
        {
            rotated = false;
            for (int p = 0; p < count; p++)
            {
                for (int q = p + 1; q < count; q++)
                    rotated |= Rotate(columns[p], columns[q], right[p], right[q]);
            }
        }
        return right;
    }

    /// <summary>Σ columns[i] · factors[i].</summary>
    public static double[] Combine(double[][] columns, double[] factors)
    {
        var sum = new double[columns[0].Length];
        for (int i = 0; i < columns.Length; i++)
            TensorPrimitives.MultiplyAdd(columns[i], factors[i], sum, sum);
        return sum;
    }

    public static double Dot(double[] left, double[] right) => TensorPrimitives.Dot<double>(left, right);

    private static bool Rotate(double[] p, double[] q, double[] rightP, double[] rightQ)
    {
        double pp = Dot(p, p), qq = Dot(q, q), pq = Dot(p, q);
        if (pq == 0 || Math.Abs(pq) <= Converged * Math.Sqrt(pp * qq))
            return false;
        double zeta = (qq - pp) / (2 * pq);
        double tangent = Math.CopySign(1, zeta) / (Math.Abs(zeta) + Math.Sqrt(1 + zeta * zeta));
        double cosine = 1 / Math.Sqrt(1 + tangent * tangent), sine = cosine * tangent;
        Turn(p, q, cosine, sine);
        Turn(rightP, rightQ, cosine, sine);
        return true;
    }

    private static void Turn(double[] p, double[] q, double cosine, double sine)
    {
        for (int i = 0; i < p.Length; i++)
        {
            (double x, double y) = (p[i], q[i]);
            p[i] = cosine * x - sine * y;
            q[i] = sine * x + cosine * y;
        }
    }
}
