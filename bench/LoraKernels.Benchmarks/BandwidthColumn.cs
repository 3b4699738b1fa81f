using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Parameters;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace LoraKernels.Benchmarks;

/// <summary>
/// The bytes of weights or adapters that a benchmark reads, over the mean time: what a decode step that is bound by memory
/// should reach.
/// </summary>
/// <param name="ofLimit">In per cent of what memory gives, instead of GB/s.</param>
internal sealed class BandwidthColumn(bool ofLimit) : IColumn
{
    public string Id => nameof(BandwidthColumn) + ColumnName;

    public string ColumnName => ofLimit ? "% of memory" : "GB/s";

    public string Legend => ofLimit
        ? "GB/s over what all processors together read from memory, measured in this run; caches give more"
        : "Bytes of the weight in its checkpoint, or of the adapters in use, read once, over the mean time (1 GB = 10^9 bytes)";

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => ofLimit ? 1 : 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) =>
        GetValue(summary, benchmarkCase, SummaryStyle.Default);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style)
    {
        if (BytesOf(benchmarkCase) is not { } bytes || summary[benchmarkCase]?.ResultStatistics is not { } statistics)
            return "-";
        double rate = bytes / statistics.Mean;
        return ofLimit
            ? (100 * rate / MemoryLimit.GigabytesPerSecond).ToString("F0", CultureInfo.InvariantCulture)
            : rate.ToString("F2", CultureInfo.InvariantCulture);
    }

    public bool IsAvailable(Summary summary) =>
        summary.BenchmarksCases.Any(static benchmark => BytesOf(benchmark) is not null);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;

    private static double? BytesOf(BenchmarkCase benchmark)
    {
        ParameterInstances parameters = benchmark.Parameters;
        if (parameters[nameof(LinearBenchmarks.Format)] is SampleFormat format)
            return SampleWeights.CheckpointBytes(format);
        if (parameters[nameof(LoraBenchmarks.Distribution)] is Distribution distribution
            && parameters[nameof(LoraBenchmarks.Rank)] is int rank)
        {
            return LoraBenchmarks.AdapterBytes(distribution, rank);
        }

        return null;
    }
}
