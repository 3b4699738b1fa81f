using Spectre.Console;

namespace LoraKernels.Cli.Views;

/// <summary>How tables look in this tool: a rule under the heading, no other lines.</summary>
internal static class Tables
{
    public static Table Create(params ReadOnlySpan<string> columns)
    {
        Table table = new() { Border = TableBorder.Simple };
        foreach (string column in columns)
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))));
        return table;
    }

    /// <summary>Numbers stand on the right.</summary>
    public static void RightAlign(Table table, params ReadOnlySpan<int> columns)
    {
        foreach (int column in columns)
        {
            table.Columns[column].Alignment = Justify.Right;
            table.Columns[column].NoWrap = true;
        }
    }

    /// <summary>Adds a row of plain text: nothing in it is taken for markup.</summary>
    public static void AddRow(Table table, params ReadOnlySpan<string> cells)
    {
        Text[] row = new Text[cells.Length];
        for (int i = 0; i < cells.Length; i++)
            row[i] = new Text(cells[i]);
        table.AddRow(row);
    }

    /// <summary>Writes the table, then an empty line.</summary>
    public static void Write(IAnsiConsole console, Table table)
    {
        console.Write(new Trimmed(table));
        console.WriteLine();
    }

    /// <summary>"9.4 MB", or "32 x 9.4 MB" for several members of one size.</summary>
    public static string Sum<T>(IReadOnlyList<T> members, Func<T, long> bytes) => members.Count == 1
        ? Units.Bytes(bytes(members[0]))
        : $"{members.Count} x {Units.Bytes(bytes(members[0]))}";
}
