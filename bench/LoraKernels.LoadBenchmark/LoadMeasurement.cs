using System.Diagnostics;
using LoraKernels.Checkpoints;

namespace LoraKernels.LoadBenchmark;

/// <summary>A plain read and a load of the same file, in turn.</summary>
/// <param name="Kind">Of the checkpoint.</param>
/// <param name="FileBytes">Of the file.</param>
/// <param name="Cold">Whether the file was dropped from the page cache before each.</param>
/// <param name="ReadSeconds">Each round's plain read.</param>
/// <param name="LoadSeconds">Each round's load.</param>
/// <param name="PackedBytes">What the weights take on the device.</param>
/// <param name="ExtraBytes">The most memory that a load took beyond that.</param>
internal sealed record LoadMeasurement(
    string Kind, long FileBytes, bool Cold, IReadOnlyList<double> ReadSeconds, IReadOnlyList<double> LoadSeconds,
    long PackedBytes, long ExtraBytes)
{
    private const int ReadBytes = 8 << 20;

    /// <summary>How many times as fast as the read the load is: the median of the rounds' ratios.</summary>
    public double Share => Median([.. ReadSeconds.Zip(LoadSeconds, (read, load) => read / load)]);

    public static async Task<LoadMeasurement> RunAsync(string path, string kind, Device device, bool cold, int rounds)
    {
        var read = new List<double>();
        var load = new List<double>();
        long packed = 0, extra = 0;
        // The first round warms the process up, and the cache where it is to be warm.
        for (int round = 0; round <= rounds; round++)
        {
            if (cold) PageCache.Drop();
            double readSeconds = Read(path);
            if (cold) PageCache.Drop();
            GC.Collect();
            long before = PeakMemory.Now;
            PeakMemory.Reset();
            var clock = Stopwatch.StartNew();
            using (var checkpoint = Checkpoint.Open(path))
            using (var weights = await checkpoint.LoadAllAsync(device).ConfigureAwait(false))
            {
                double loadSeconds = clock.Elapsed.TotalSeconds;
                packed = weights.PackedBytes;
                extra = Math.Max(extra, PeakMemory.Bytes - before - packed);
                if (round == 0) continue;
                read.Add(readSeconds);
                load.Add(loadSeconds);
            }
        }
        return new LoadMeasurement(kind, new FileInfo(path).Length, cold, read, load, packed, extra);
    }

    public static double Median(double[] values)
    {
        Array.Sort(values);
        return (values[(values.Length - 1) / 2] + values[values.Length / 2]) / 2;
    }

    private static double Read(string path)
    {
        byte[] buffer = GC.AllocateUninitializedArray<byte>(ReadBytes);
        using var handle = File.OpenHandle(path, options: FileOptions.SequentialScan);
        var clock = Stopwatch.StartNew();
        for (long at = 0; RandomAccess.Read(handle, buffer, at) is > 0 and int count; at += count) { }
        return clock.Elapsed.TotalSeconds;
    }
}
