using LoraKernels.Cli.Views;
using Spectre.Console;

namespace LoraKernels.Cli.Commands.Inspect;

/// <summary>Prints a <see cref="CheckpointReport"/> for a person.</summary>
internal static class CheckpointView
{
    public static void Write(IAnsiConsole console, CheckpointReport report, bool all)
    {
        Facts.Title(console, "Checkpoint", report.Path);
        WriteWeights(console, report, all);
        WriteOthers(console, report, all);

        InspectedTotals totals = report.Totals;
        Facts facts = new();
        facts.Add("Container", report.Container);
        facts.Add("Base model", report.BaseModel ?? "not named");
        facts.Add("Weights", totals.Weights == 0
            ? "no weight in a format that this version reads"
            : $"{Formats(report)}: {Units.Count(totals.Weights, "weight")}, {totals.Parameters:N0} parameters, {Units.Bytes(totals.WeightBytes)}, "
                + $"{8.0 * totals.WeightBytes / totals.Parameters:F2} bits each");
        facts.Add("Others", $"{Units.Count(totals.OtherTensors, "tensor")}, {Units.Bytes(totals.OtherBytes)}");
        foreach (string remark in report.Remarks)
            facts.Add("Note", remark);
        facts.Write(console);
    }

    private static void WriteWeights(IAnsiConsole console, CheckpointReport report, bool all)
    {
        if (report.Weights.Count == 0)
            return;
        Table table = Tables.Create("weight", "format", "out", "in", "group", "bytes");
        Tables.RightAlign(table, 2, 3, 4, 5);
        foreach (LayerGroup<InspectedWeight> group in LayerGroups.Of(
            report.Weights,
            static weight => weight.Name,
            static weight => (weight.Format, weight.OutFeatures, weight.InFeatures, weight.GroupSize),
            all))
        {
            InspectedWeight first = group.Members[0];
            Tables.AddRow(
                table,
                group.Name,
                first.Format,
                $"{first.OutFeatures}",
                $"{first.InFeatures}",
                $"{first.GroupSize}",
                Tables.Sum(group.Members, static weight => weight.Bytes));
        }
        Tables.Write(console, table);
    }

    private static void WriteOthers(IAnsiConsole console, CheckpointReport report, bool all)
    {
        if (report.OtherTensors.Count == 0)
            return;
        Table table = Tables.Create("other tensor", "dtype", "shape", "bytes");
        Tables.RightAlign(table, 3);
        foreach (LayerGroup<InspectedTensor> group in LayerGroups.Of(
            report.OtherTensors,
            static tensor => tensor.Name,
            static tensor => (tensor.DType, ShapeOf(tensor)),
            all))
        {
            InspectedTensor first = group.Members[0];
            Tables.AddRow(
                table, group.Name, first.DType, ShapeOf(first), Tables.Sum(group.Members, static tensor => tensor.Bytes));
        }
        Tables.Write(console, table);
    }

    private static string Formats(CheckpointReport report) => string.Join(
        ", ", report.Weights.Select(static weight => FormatNames.Describe(weight.Format)).Distinct());

    private static string ShapeOf(InspectedTensor tensor) => $"[{string.Join(", ", tensor.Shape)}]";
}
