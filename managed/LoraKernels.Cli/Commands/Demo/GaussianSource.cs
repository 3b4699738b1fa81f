using System.Runtime.InteropServices;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>
/// Seeded normal deviates, four from each 64-bit word: 16 bits pick one of 65,536 equally likely quantiles.
/// The same seed gives the same numbers on every machine, and row r of a matrix does not depend on who fills the others.
/// </summary>
internal static class GaussianSource
{
    private static readonly float[] s_quantiles = Quantiles();

    /// <summary>Fills rows × columns with normal deviates of mean 0, in parallel.</summary>
    public static float[] Matrix(
        ulong seed, long rows, long columns, float standardDeviation, CancellationToken cancellation)
    {
        float[] values = new float[checked(rows * columns)];
        ParallelOptions options = new() { CancellationToken = cancellation };
        Parallel.For(0L, rows, options, row =>
        {
            Span<float> destination = values.AsSpan(checked((int)(row * columns)), (int)columns);
            Fill(Mix(seed ^ Mix((ulong)row)), standardDeviation, destination);
        });
        return values;
    }

    /// <summary>Fills one run of values.</summary>
    public static void Fill(ulong seed, float standardDeviation, Span<float> destination)
    {
        float[] quantiles = s_quantiles;
        ulong state = seed;
        int i = 0;
        for (; i + 4 <= destination.Length; i += 4)
        {
            ulong word = Next(ref state);
            destination[i] = standardDeviation * quantiles[(ushort)word];
            destination[i + 1] = standardDeviation * quantiles[(ushort)(word >> 16)];
            destination[i + 2] = standardDeviation * quantiles[(ushort)(word >> 32)];
            destination[i + 3] = standardDeviation * quantiles[(ushort)(word >> 48)];
        }
        for (; i < destination.Length; i++)
            destination[i] = standardDeviation * quantiles[(ushort)Next(ref state)];
    }

    /// <summary>A seed that depends on a name as well.</summary>
    public static ulong Seed(ulong seed, string name)
    {
        // FNV-1a over UTF-16: stable, unlike string.GetHashCode.
        ulong hash = 14695981039346656037;
        foreach (byte part in MemoryMarshal.AsBytes(name.AsSpan()))
            hash = (hash ^ part) * 1099511628211;
        return Mix(seed ^ hash);
    }

    // SplitMix64: a counter and its mix.
    private static ulong Next(ref ulong state) => Mix(state += 0x9E3779B97F4A7C15);

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    private static float[] Quantiles()
    {
        float[] quantiles = new float[1 << 16];
        int half = quantiles.Length / 2;
        double x = 0;
        for (int i = 0; i < half; i++)
        {
            // Newton from the quantile before: the distribution is concave here, so that no step overshoots.
            double p = (half + i + 0.5) / quantiles.Length;
            for (int step = 0; step < 6; step++)
                x += (p - NormalDistribution(x)) / NormalDensity(x);
            quantiles[half + i] = (float)x;
            quantiles[half - 1 - i] = (float)-x;
        }
        return quantiles;
    }

    private static double NormalDensity(double x) => Math.Exp(-0.5 * x * x) / Math.Sqrt(2 * Math.PI);

    // Φ(x) = 1/2 + φ(x)·(x + x³/3 + x⁵/(3·5) + …)
    private static double NormalDistribution(double x)
    {
        double term = x, sum = x;
        for (int n = 3; term > 1e-18 * sum; n += 2)
        {
            term *= x * x / n;
            sum += term;
        }
        return 0.5 + sum * NormalDensity(x);
    }
}
