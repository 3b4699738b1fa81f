using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace LoraKernels.Benchmarks;

/// <summary>Checkpoint bytes of the weight over the mean time: what a decode step that is bound by memory should reach.</summary>
internal sealed class WeightBandwidthColumn : IColumn
{
    public string Id => nameof(WeightBandwidthColumn);

    public string ColumnName => "Weight GB/s";

    public string Legend => "Bytes of the weight in its checkpoint, read once, over the mean time (1 GB = 10^9 bytes)";

    public bool AlwaysShow => true;

    public ColumnCategory Category => ColumnCategory.Custom;

    public int PriorityInCategory => 0;

    public bool IsNumeric => true;

    public UnitType UnitType => UnitType.Dimensionless;

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) =>
        GetValue(summary, benchmarkCase, SummaryStyle.Default);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) =>
        benchmarkCase.Parameters[nameof(LinearBenchmarks.Format)] is SampleFormat format
            && summary[benchmarkCase]?.ResultStatistics is { } statistics
                ? (SampleWeights.CheckpointBytes(format) / statistics.Mean).ToString("F2", CultureInfo.InvariantCulture)
                : "-";

    public bool IsAvailable(Summary summary) =>
        summary.BenchmarksCases.Any(static benchmark => benchmark.Parameters[nameof(LinearBenchmarks.Format)] is SampleFormat);

    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
}
