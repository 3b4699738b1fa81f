using LoraKernels.Cli.Views;
using Spectre.Console;

namespace LoraKernels.Cli.Commands.Inspect;

/// <summary>Prints an <see cref="AdapterReport"/> for a person.</summary>
internal static class AdapterView
{
    public static void Write(IAnsiConsole console, AdapterReport report, bool all)
    {
        Facts.Title(console, $"{report.Container} adapter", report.Path);
        Table table = Tables.Create("module", "kind", "rank", "scale", "dtype", "out", "in", "bytes");
        Tables.RightAlign(table, 2, 3, 5, 6, 7);
        foreach (LayerGroup<InspectedModule> group in LayerGroups.Of(
            report.Modules,
            static module => module.Name,
            static module => (module.Kind, module.Rank, module.Scale, module.DType, module.OutFeatures, module.InFeatures),
            all))
        {
            InspectedModule first = group.Members[0];
            Tables.AddRow(
                table,
                group.Name,
                first.Kind,
                $"{first.Rank}",
                $"{first.Scale:0.####}",
                first.DType,
                $"{first.OutFeatures}",
                $"{first.InFeatures}",
                Tables.Sum(group.Members, static module => module.Bytes));
        }
        Tables.Write(console, table);
        WriteSavedModules(console, report);

        Facts facts = new();
        facts.Add("Base model", report.BaseModel ?? "not named");
        facts.Add(
            "Together",
            $"{Units.Count(report.Modules.Count, "module")}, {report.Parameters:N0} parameters, {Units.Bytes(report.Bytes)}");
        facts.Write(console);
    }

    private static void WriteSavedModules(IAnsiConsole console, AdapterReport report)
    {
        if (report.SavedModules.Count == 0)
            return;
        Table table = Tables.Create("trained in full", "dtype", "shape", "bias", "bytes");
        Tables.RightAlign(table, 4);
        foreach (InspectedSavedModule module in report.SavedModules)
        {
            Tables.AddRow(
                table, module.Name, module.DType, $"[{module.Rows}, {module.Columns}]", module.Bias ? "yes" : "no",
                Units.Bytes(module.Bytes));
        }
        Tables.Write(console, table);
    }
}
