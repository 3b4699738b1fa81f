using System.Globalization;

namespace LoraKernels.LoadBenchmark;

/// <summary>The most physical memory that this process had, since <see cref="Reset"/>.</summary>
internal static class PeakMemory
{
    public static void Reset() => File.WriteAllText("/proc/self/clear_refs", "5");

    public static long Bytes => Field("VmHWM:");

    public static long Now => Field("VmRSS:");

    private static long Field(string name)
    {
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith(name, StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
    }
}
