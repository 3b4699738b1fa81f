using System.Globalization;
using System.Text;

namespace LoraKernels.LoadBenchmark;

/// <summary>The measurements as a page of Markdown.</summary>
internal sealed class LoadReport(Device device)
{
    private readonly List<LoadMeasurement> _measurements = [];

    public void Add(LoadMeasurement measurement) => _measurements.Add(measurement);

    /// <summary>A row of the table.</summary>
    public static string Line(LoadMeasurement m)
    {
        string Rate(IReadOnlyList<double> seconds) => string.Create(
            CultureInfo.InvariantCulture, $"{m.FileBytes / LoadMeasurement.Median([.. seconds]) / 1e9:F2} GB/s");
        return string.Create(CultureInfo.InvariantCulture,
            $"| {m.Kind} | {(m.Cold ? "dropped" : "warm")} | {m.FileBytes / 1e9:F2} GB | {Rate(m.ReadSeconds)} "
            + $"| {Rate(m.KeepSeconds)} | {Rate(m.LoadSeconds)} | {m.Share:P0} | {m.ShareOfKeeping:P0} | {m.PackedBytes / 1e9:F2} GB | {m.ExtraBytes / 1e6:F0} MB |");
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            # Loading beside a plain read

            `bench/LoraKernels.LoadBenchmark` on {DateTime.UtcNow:yyyy-MM-dd}: {device.Info.Name}, {Environment.ProcessorCount}
            processors, device `{device}`. Of the same file in turn: a read of 8 MB at a time into one buffer by one thread, the
            same read into new memory of huge pages, and `Checkpoint.LoadAllAsync`; {_measurements[0].ReadSeconds.Count} rounds after one that is not counted; medians,
            and the medians of the rounds' ratios. The page cache is dropped before each, or holds what fits of the file.
            Memory for the latter two was touched and freed just before: a virtual machine's host may have to give it anew.
            Beyond what is packed: the most physical memory that the process had meanwhile, less what it had before and the
            packed weights.

            | checkpoint | page cache | file | read | read into new memory | load | load against read | against read into new memory | packed | memory beyond |
            |---|---|---|---|---|---|---|---|---|---|

            """);
        foreach (var measurement in _measurements) text.AppendLine(Line(measurement));
        return text.ToString();
    }
}
