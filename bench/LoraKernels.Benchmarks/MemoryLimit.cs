using System.Diagnostics;
using System.Numerics;

namespace LoraKernels.Benchmarks;

/// <summary>How fast this machine's processors read memory, measured once a run.</summary>
internal static class MemoryLimit
{
    // More than a last-level cache holds.
    private const int WordsOfThread = 48 << 20;
    private const int Rounds = 5;

    private static readonly Lazy<double> Measured = new(Measure);

    // Keeps the sums from being left out.
    private static long s_sink;

    /// <summary>10^9 bytes a second, all processors together; the median of some rounds.</summary>
    public static double GigabytesPerSecond => Measured.Value;

    private static double Measure()
    {
        long[][] memory = new long[Environment.ProcessorCount][];
        Parallel.For(0, memory.Length, thread =>
        {
            memory[thread] = GC.AllocateUninitializedArray<long>(WordsOfThread);
            Array.Fill(memory[thread], 1);
        });
        double[] rates = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            Stopwatch watch = Stopwatch.StartNew();
            Parallel.For(0, memory.Length, thread => Interlocked.Add(ref s_sink, Sum(memory[thread])));
            rates[round] = (double)memory.Length * WordsOfThread * sizeof(long) / watch.Elapsed.TotalNanoseconds;
        }

        Array.Sort(rates);
        return rates[Rounds / 2];
    }

    private static long Sum(ReadOnlySpan<long> words)
    {
        Vector<long> first = default, second = default;
        int width = Vector<long>.Count;
        for (int i = 0; i < words.Length; i += 2 * width)
        {
            first += new Vector<long>(words[i..]);
            second += new Vector<long>(words[(i + width)..]);
        }

        return Vector.Sum(first + second);
    }
}
