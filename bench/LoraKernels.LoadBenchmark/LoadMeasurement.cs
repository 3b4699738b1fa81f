using System.Diagnostics;
using LoraKernels.Checkpoints;

namespace LoraKernels.LoadBenchmark;

/// <summary>A plain read, a read that keeps what it read, and a load of the same file, in turn.</summary>
/// <param name="Kind">Of the checkpoint.</param>
/// <param name="FileBytes">Of the file.</param>
/// <param name="Cold">Whether the file was dropped from the page cache before each.</param>
/// <param name="ReadSeconds">Each round's plain read.</param>
/// <param name="KeepSeconds">Each round's read into new memory, as any load has to take it.</param>
/// <param name="LoadSeconds">Each round's load.</param>
/// <param name="PackedBytes">What the weights take on the device.</param>
/// <param name="ExtraBytes">The most memory that a load took beyond that.</param>
internal sealed record LoadMeasurement(
    string Kind, long FileBytes, bool Cold, IReadOnlyList<double> ReadSeconds, IReadOnlyList<double> KeepSeconds,
    IReadOnlyList<double> LoadSeconds, long PackedBytes, long ExtraBytes)
{
    private const int ReadBytes = 8 << 20;

    /// <summary>How many times as fast as the read the load is: the median of the rounds' ratios.</summary>
    public double Share => Median([.. ReadSeconds.Zip(LoadSeconds, (read, load) => read / load)]);

    /// <summary>The same of the read into new memory.</summary>
    public double ShareOfKeeping => Median([.. KeepSeconds.Zip(LoadSeconds, (keep, load) => keep / load)]);

    public static async Task<LoadMeasurement> RunAsync(string path, string kind, Device device, bool cold, int rounds)
    {
        var read = new List<double>();
        var keep = new List<double>();
        var load = new List<double>();
        long bytes = new FileInfo(path).Length, packed = 0, extra = 0;
        // The first round warms the process up, and the cache where it is to be warm.
        for (int round = 0; round <= rounds; round++)
        {
            if (cold) PageCache.Drop();
            double readSeconds = Read(path);
            if (cold) PageCache.Drop();
            NewMemory.Prepare(bytes);
            double keepSeconds = ReadAndKeep(path);
            if (cold) PageCache.Drop();
            GC.Collect();
            NewMemory.Prepare(bytes);
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
                keep.Add(keepSeconds);
                load.Add(loadSeconds);
            }
        }
        return new LoadMeasurement(kind, bytes, cold, read, keep, load, packed, extra);
    }

    public static double Median(double[] values)
    {
        Array.Sort(values);
        return (values[(values.Length - 1) / 2] + values[values.Length / 2]) / 2;
    }

    private static unsafe double ReadAndKeep(string path)
    {
        using var handle = File.OpenHandle(path, options: FileOptions.SequentialScan);
        long length = RandomAccess.GetLength(handle);
        var clock = Stopwatch.StartNew();
        using var memory = new NewMemory(length);
        for (long at = 0; at < length;)
            at += RandomAccess.Read(handle, new Span<byte>(memory.Bytes + at, (int)Math.Min(ReadBytes, length - at)), at);
        return clock.Elapsed.TotalSeconds;
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
