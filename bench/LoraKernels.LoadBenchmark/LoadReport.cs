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
        double read = LoadMeasurement.Median([.. m.ReadSeconds]), load = LoadMeasurement.Median([.. m.LoadSeconds]);
        return string.Create(CultureInfo.InvariantCulture,
            $"| {m.Kind} | {(m.Cold ? "dropped" : "warm")} | {m.FileBytes / 1e9:F2} GB | {m.FileBytes / read / 1e9:F2} GB/s "
            + $"| {m.FileBytes / load / 1e9:F2} GB/s | {m.Share:P0} | {m.PackedBytes / 1e9:F2} GB | {m.ExtraBytes / 1e6:F0} MB |");
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"""
            # Loading beside a plain read

            `bench/LoraKernels.LoadBenchmark` on {DateTime.UtcNow:yyyy-MM-dd}: {device.Info.Name}, {Environment.ProcessorCount}
            processors, device `{device}`. Reads of 8 MB by one thread and `Checkpoint.LoadAllAsync` of the same file in turn,
            {_measurements[0].ReadSeconds.Count} rounds after one that is not counted; medians, and the median of the rounds' ratios. The page
            cache is dropped before each, or holds what fits of the file. Beyond what is packed: the most physical memory
            that the process had meanwhile, less what it had before and the packed weights.

            | checkpoint | page cache | file | plain read | load | load against read | packed | memory beyond |
            |---|---|---|---|---|---|---|---|

            """);
        foreach (var measurement in _measurements) text.AppendLine(Line(measurement));
        return text.ToString();
    }
}
