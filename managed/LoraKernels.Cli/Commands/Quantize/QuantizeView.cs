using LoraKernels.Checkpoints;
using LoraKernels.Cli.Commands.Inspect;
using LoraKernels.Cli.Views;
using Spectre.Console;

namespace LoraKernels.Cli.Commands.Quantize;

/// <summary>Prints a <see cref="QuantizeReport"/> for a person.</summary>
internal static class QuantizeView
{
    public static void Write(IAnsiConsole console, QuantizeReport report, bool all)
    {
        Facts.Title(console, "Quantized", report.Output);
        Table table = Tables.Create("module", "out", "in", "bytes", "max error", "RMS error", "worst group");
        Tables.RightAlign(table, 1, 2, 3, 4, 5, 6);
        foreach (LayerGroup<QuantizedModuleRow> group in LayerGroups.Of(
            report.Modules,
            static module => module.Name,
            static module => (module.OutFeatures, module.InFeatures, module.Bytes),
            all))
        {
            QuantizedModuleRow first = group.Members[0];
            Tables.AddRow(
                table,
                group.Name,
                $"{first.OutFeatures}",
                $"{first.InFeatures}",
                Tables.Sum(group.Members, static module => module.Bytes),
                Units.Error(group.Members.Max(static module => module.MaxAbsolute)),
                Percent(group.Members.Max(static module => module.RelativeRms)),
                Percent(group.Members.Max(static module => module.WorstGroupRelativeRms)));
        }
        Tables.Write(console, table);

        if (report.Kept.Count > 0)
        {
            Table kept = Tables.Create("kept as it is", "why");
            foreach (LayerGroup<KeptModule> group in LayerGroups.Of(
                report.Kept, static module => module.Name, static module => module.Reason, all))
            {
                Tables.AddRow(kept, group.Name, group.Members[0].Reason);
            }
            Tables.Write(console, kept);
        }

        QuantizedModuleRow worst = report.Modules.MaxBy(static module => module.WorstGroupRelativeRms)!;
        Facts facts = new();
        facts.Add("Format", $"{FormatNames.Describe(report.Format)}, groups of {report.GroupSize}"
            + (report.ZeroPoints ? ", zero points" : ""));
        facts.Add("Tensors", $"{Units.Bytes(report.SourceBytes)} before, {Units.Bytes(report.Bytes)} now, "
            + $"{Units.Ratio((double)report.SourceBytes / Math.Max(1, report.Bytes))} smaller");
        facts.Add("Worst group", $"{Percent(worst.WorstGroupRelativeRms)} in {worst.Name}, from "
            + $"[{worst.WorstGroupRow}, {worst.WorstGroupColumn}] on");
        facts.Write(console);
    }

    private static string Percent(double ratio) => $"{100 * ratio:F2} %";
}
