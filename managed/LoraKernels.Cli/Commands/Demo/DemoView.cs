using LoraKernels.Cli.Views;
using Spectre.Console;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>Prints a <see cref="DemoReport"/> for a person.</summary>
internal static class DemoView
{
    private const int MostReasons = 6;

    // How far outside the limit a row without its adapter has to be for the check to be called sharp.
    private const double SharpFactor = 2;

    public static void Write(IAnsiConsole console, DemoReport report)
    {
        int adapters = report.Adapters.Loaded.Count;
        Facts.Title(
            console,
            "LoraKernels demo",
            $"one decoder layer in 4 bits, {Units.Count(adapters, "adapter")}, {Units.Count(report.Requests.Rows, "request")} in one batch");
        WriteFacts(console, report);
        WriteRefused(console, report.Adapters.Refused);
        WriteMemory(console, report);
        WriteTimings(console, report);
        WriteCheck(console, report);
    }

    private static void WriteFacts(IAnsiConsole console, DemoReport report)
    {
        IReadOnlyList<DemoAdapter> adapters = report.Adapters.Loaded;
        long[] ranks = [.. adapters.SelectMany(static adapter => adapter.Ranks).Distinct().Order()];
        string types = string.Join(", ", adapters.SelectMany(static adapter => adapter.DTypes).Distinct().Order());
        string threads = report.Device.Threads > 0 ? $", {Units.Count(report.Device.Threads, "thread")}" : "";

        Facts facts = new();
        facts.Add("Device", $"{report.Device.Name}, {report.Device.Isa} kernels{threads}");
        facts.Add(
            "Base",
            $"{report.Model.BaseModel ?? Path.GetFileName(report.Model.Path)}, layer {report.Model.Layer}: "
                + $"{Units.Count(report.Model.Linears.Count, "linear")}, {report.Model.Weights:N0} weights, {Formats(report)}");
        facts.Add("Adapters", ranks.Length == 0
            ? "none fits"
            : $"{adapters.Count} PEFT folders, ranks {string.Join(", ", ranks)}, {types}");
        facts.Add(
            "Requests",
            $"{report.Requests.Rows} rows of {report.Requests.DType}: {report.Requests.DistinctAdapters} different adapters, "
                + $"{Units.Count(report.Requests.PlainRows, "row")} without");
        if (report.Files is { } files)
        {
            facts.Add("Files", files.Written
                ? $"{Units.Bytes(files.Bytes)} written in {files.Seconds:F1} s to {files.Path}"
                : $"{Units.Bytes(files.Bytes)} from {files.Path}");
        }
        facts.Write(console);
    }

    private static void WriteRefused(IAnsiConsole console, IReadOnlyList<DemoRefusedAdapter> refused)
    {
        foreach (DemoRefusedAdapter adapter in refused)
        {
            console.Write(new Text("refused ", new Style(Color.Yellow, decoration: Decoration.Bold)));
            console.WriteLine($"{adapter.Name} does not fit this model:");
            foreach (string reason in adapter.Mismatches.Take(MostReasons))
                console.WriteLine($"  - {reason}");
            if (adapter.Mismatches.Count > MostReasons)
                console.WriteLine($"  - and {adapter.Mismatches.Count - MostReasons} more (--json has all)");
            console.WriteLine();
        }
    }

    private static void WriteMemory(IAnsiConsole console, DemoReport report)
    {
        DemoMemory memory = report.Memory;
        int count = report.Adapters.Loaded.Count;
        string adapters = Units.Count(count, "adapter");
        Table table = Tables.Create("Memory of this layer", "bytes", "ratio");
        Tables.RightAlign(table, 1, 2);
        Tables.AddRow(table, $"base {Units.Bytes(memory.Base)} + {adapters} {Units.Bytes(memory.Adapters)}", Units.Bytes(memory.Together), "");
        Tables.AddRow(
                table,
            $"{count} merged copies in 4 bits (calculated)",
            Units.Bytes(memory.FullModels4Bit),
            Units.Ratio((double)memory.FullModels4Bit / memory.Together));
        Tables.AddRow(
                table,
            $"{count} merged copies in 16 bits (calculated)",
            Units.Bytes(memory.FullModels16Bit),
            Units.Ratio((double)memory.FullModels16Bit / memory.Together));
        Tables.Write(console, table);
        if (report.Model.Synthetic)
        {
            double layers = DecoderShape.Mistral7BLayers;
            console.WriteLine(
                $"  Scaled to Mistral-7B's {layers} layers, not measured: {Units.Bytes(layers * memory.Together)} against "
                    + $"{Units.Bytes(layers * memory.FullModels4Bit)} and {Units.Bytes(layers * memory.FullModels16Bit)}.");
            console.WriteLine();
        }
    }

    private static void WriteTimings(IAnsiConsole console, DemoReport report)
    {
        Table table = Tables.Create(
            $"Time per step: {report.Model.Linears.Count} linears, {report.Requests.Rows} rows", "median", "against base");
        Tables.RightAlign(table, 1, 2);
        double baseSeconds = report.Timings[0].MedianSeconds;
        foreach (DemoTiming timing in report.Timings)
        {
            Tables.AddRow(
                table,
                timing.Description,
                Units.Time(TimeSpan.FromSeconds(timing.MedianSeconds)),
                timing == report.Timings[0] ? "" : Units.Ratio(timing.MedianSeconds / baseSeconds));
        }
        Tables.Write(console, table);
        double gain = report.Timings.Single(static timing => timing.Name == "one_by_one").MedianSeconds
            / report.Timings.Single(static timing => timing.Name == "mixed").MedianSeconds;
        console.WriteLine(
            $"  One batch is {Units.Ratio(gain)} as fast as one adapter at a time. "
                + $"Medians of {Units.Count(report.Timings[0].Rounds, "alternating round")};");
        console.WriteLine("  attention, norms and activations are not run.");
        console.WriteLine();
    }

    private static void WriteCheck(IAnsiConsole console, DemoReport report)
    {
        DemoCheck check = report.Check;
        string error = check.WorstError is { } worst ? Units.Error(worst) : "not a number";
        Facts facts = new();
        facts.Add(
            "Error",
            $"worst row {error} (row {check.WorstRow}, {check.WorstLinear}), "
                + $"limit {Units.Error(check.Limit)} for {report.Requests.DType}");
        if (check.SmallestEffect is { } smallest && check.LargestEffect is { } largest)
        {
            string sharp = smallest > SharpFactor * check.Limit ? ": a row without its own would not pass" : "";
            facts.Add("Adapters", $"change their rows by {smallest:P1} to {largest:P1}{sharp}");
        }
        facts.Add("Batching", check.SameBitsOneByOne
            ? "every request has the same bits in this batch and one adapter at a time"
            : "requests differ in bits between this batch and one adapter at a time");
        DemoPool pool = report.Pool;
        facts.Add(
            "Pool",
            $"room for {Units.Bytes(pool.RoomBytes)}, {pool.MostResident} of {Units.Count(report.Adapters.Loaded.Count, "adapter")} at a time: "
                + $"{Units.Count(pool.Steps, "step")}, {Units.Count(pool.Loads, "load")} ({Units.Bytes(pool.LoadedBytes)}), "
                + $"{Units.Count(pool.Evictions, "eviction")}, {(pool.SameBits ? "the same bits" : "other bits")}");
        facts.Write(console);

        Verdict.Write(console, report.Ok, VerdictOf(report));
    }

    private static string VerdictOf(DemoReport report)
    {
        DemoCheck check = report.Check;
        if (check.RowsOverLimit > 0)
            return $"{check.RowsOverLimit:N0} of {check.RowsChecked:N0} output rows do not match the float64 reference";
        if (!report.Ok)
            return "a request's bits depend on the rest of its batch";
        string refused = report.Adapters.Refused.Count == 0
            ? ""
            : $"; {Units.Count(report.Adapters.Refused.Count, "adapter")} refused";
        return $"{check.RowsChecked:N0} of {check.RowsChecked:N0} output rows match the float64 reference{refused}";
    }

    private static string Formats(DemoReport report) =>
        string.Join(" and ", report.Model.Formats.Select(FormatNames.Describe));
}
