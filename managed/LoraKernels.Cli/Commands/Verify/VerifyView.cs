using LoraKernels.Cli.Views;
using Spectre.Console;

namespace LoraKernels.Cli.Commands.Verify;

/// <summary>Prints the results of <c>verify</c> for a person.</summary>
internal static class VerifyView
{
    public static void Write(
        IAnsiConsole console, DeviceInfo device, ComputeMode compute, IReadOnlyList<VerifyRow> rows, bool all)
    {
        string kernels = compute == ComputeMode.Int8Activations ? $"{device.Isa} kernels in int8" : $"{device.Isa} kernels";
        Facts.Title(console, "LoraKernels verify", $"{device.Name}, {kernels}, against the float64 reference");
        Tables.Write(console, all ? Cases(rows) : Summary(rows));
        VerifyRow[] failed = [.. rows.Where(static row => !row.Ok)];
        foreach (VerifyRow row in failed)
        {
            console.WriteLine(
                $"{row.Op} {row.Format} {row.DType} {row.Shape}: error {Units.Error(row.Error)}, limit {Units.Error(row.Limit)}"
                    + (row.Schedule is null ? "" : $" ({row.Schedule})")
                    + (row.Message is null ? "" : $": {row.Message}"));
        }
        bool ok = failed.Length == 0 && rows.Count > 0;
        Verdict.Write(console, ok, ok
            ? $"{rows.Count:N0} cases within their limits"
            : $"{failed.Length:N0} of {rows.Count:N0} cases");
    }

    // A line for each op, format and type: its worst case.
    private static Table Summary(IReadOnlyList<VerifyRow> rows)
    {
        Table table = Tables.Create("op", "format", "dtype", "cases", "worst error", "limit", "");
        Tables.RightAlign(table, 3, 4, 5);
        string? op = null;
        foreach (IGrouping<(string Op, string Format, string DType), VerifyRow> group in rows
            .GroupBy(static row => row.Op)
            .SelectMany(static ofOp => ofOp.GroupBy(static row => (row.Op, row.Format, row.DType))))
        {
            VerifyRow worst = group.MaxBy(static row => row.Limit > 0 ? row.Error / row.Limit : row.Error)!;
            AddRow(
                table,
                group.All(static row => row.Ok),
                group.Key.Op == op ? "" : group.Key.Op,
                NoneIsEmpty(group.Key.Format),
                NoneIsEmpty(group.Key.DType),
                $"{group.Count()}",
                Units.Error(worst.Error),
                LimitOf(worst));
            op = group.Key.Op;
        }
        return table;
    }

    private static Table Cases(IReadOnlyList<VerifyRow> rows)
    {
        Table table = Tables.Create("op", "format", "dtype", "shape", "error", "limit", "");
        Tables.RightAlign(table, 4, 5);
        foreach (VerifyRow row in rows)
            AddRow(table, row.Ok, row.Op, NoneIsEmpty(row.Format), NoneIsEmpty(row.DType), row.Shape, Units.Error(row.Error), LimitOf(row));
        return table;
    }

    private static void AddRow(Table table, bool ok, params ReadOnlySpan<string> cells)
    {
        Text[] row = new Text[cells.Length + 1];
        for (int i = 0; i < cells.Length; i++)
            row[i] = new Text(cells[i]);
        row[^1] = ok ? new Text("ok", new Style(Color.Green)) : new Text("FAILED", new Style(Color.Red, decoration: Decoration.Bold));
        table.AddRow(row);
    }

    private static string LimitOf(VerifyRow row) => row.Limit > 0 ? Units.Error(row.Limit) : "same bits";

    private static string NoneIsEmpty(string name) => name == "none" ? "" : name;
}
