namespace LoraKernels.Cli.Commands.Demo;

/// <summary>Which adapter each row of a batch asks for.</summary>
internal static class RequestMix
{
    /// <summary>No adapter: the base model alone.</summary>
    public const int None = -1;

    // One request in eight is for the base model.
    private const int RowsPerPlainRow = 8;

    /// <summary>
    /// Requests as a server meets them: adapters in no order, one row in eight with none, each adapter once before any
    /// comes again.
    /// </summary>
    /// <returns>An adapter's index, or <see cref="None"/>, for each row.</returns>
    public static int[] Mixed(int rows, int adapters, int seed)
    {
        int[] adapterOfRow = new int[rows];
        int next = 0;
        for (int row = 0; row < rows; row++)
            adapterOfRow[row] = adapters == 0 || row % RowsPerPlainRow == RowsPerPlainRow - 1 ? None : next++ % adapters;
        new Random(seed).Shuffle(adapterOfRow);
        return adapterOfRow;
    }

    /// <summary>As many different adapters as there are, and no row without.</summary>
    public static int[] Distinct(int rows, int adapters) => [.. Enumerable.Range(0, rows).Select(row => row % adapters)];

    /// <summary>Every row the same adapter.</summary>
    public static int[] Same(int rows, int adapter) => [.. Enumerable.Repeat(adapter, rows)];

    /// <summary>The rows of each adapter, those with none included: what a server without batching over adapters runs.</summary>
    public static IReadOnlyList<int[]> RowsByAdapter(IReadOnlyList<int> adapterOfRow) =>
        [.. Enumerable.Range(0, adapterOfRow.Count).GroupBy(row => adapterOfRow[row]).Select(group => group.ToArray())];
}
