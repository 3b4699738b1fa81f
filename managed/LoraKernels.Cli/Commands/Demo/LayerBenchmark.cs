namespace LoraKernels.Cli.Commands.Demo;

/// <summary>
/// A batch of requests on one layer, run in every way that the demo compares. All ways include making the batch's plan.
/// </summary>
internal sealed class LayerBenchmark<T> : IDisposable
    where T : unmanaged
{
    private readonly Activations<T> _together;
    private readonly Activations<T> _oneByOne;
    private readonly LoraBatch _batch;
    private readonly LoadedAdapter?[] _mixed;
    private readonly LoadedAdapter?[] _same;
    private readonly LoadedAdapter?[] _distinct;
    private readonly List<(int First, LoadedAdapter?[] Rows)> _groups = [];

    public LayerBenchmark(Device device, DecoderLayer layer, AdapterSet adapters, int[] adapterOfRow, ActivationType<T> type)
    {
        int rows = adapterOfRow.Length;
        IReadOnlyList<UsedAdapter> used = adapters.Used;
        LoadedAdapter? Of(int adapter) => adapter == RequestMix.None ? null : used[adapter].Loaded;

        // The adapter of middle rank stands for "one adapter".
        SameAdapter = Enumerable.Range(0, used.Count).OrderBy(i => used[i].LargestRank).ElementAt(used.Count / 2);
        _mixed = Array.ConvertAll(adapterOfRow, Of);
        _same = Array.ConvertAll(RequestMix.Same(rows, SameAdapter), Of);
        _distinct = Array.ConvertAll(RequestMix.Distinct(rows, used.Count), Of);

        List<int> order = [];
        foreach (int[] group in RequestMix.RowsByAdapter(adapterOfRow))
        {
            _groups.Add((order.Count, Array.ConvertAll(group, row => Of(adapterOfRow[row]))));
            order.AddRange(group);
        }

        _together = new Activations<T>(device, layer, [.. Enumerable.Range(0, rows)], type);
        _oneByOne = new Activations<T>(device, layer, order, type);
        _batch = adapters.Table.CreateBatch(
            LoraBatchCapacity.ForRows(rows, Math.Max(1, used.Max(static adapter => adapter.LargestRank))));
    }

    /// <summary>Index of the adapter that all rows share in that step.</summary>
    public int SameAdapter { get; }

    /// <summary>How many batches "one adapter at a time" is.</summary>
    public int Groups => _groups.Count;

    public Activations<T> Together => _together;

    public void RunBase() => _together.Run(null);

    public void RunSame() => RunTogether(_same);

    public void RunDistinct() => RunTogether(_distinct);

    public void RunMixed() => RunTogether(_mixed);

    public void RunOneByOne()
    {
        foreach ((int first, LoadedAdapter?[] rows) in _groups)
        {
            if (rows[0] is null)
            {
                _oneByOne.Run(first, rows.Length, null);
                continue;
            }
            _batch.Set(rows);
            _oneByOne.Run(first, rows.Length, _batch);
        }
    }

    /// <summary>Whether the last mixed step and the last one-by-one step gave every request the same bits.</summary>
    public bool IsBatchInvariant() => _together.HasSameBits(_oneByOne);

    public void Dispose()
    {
        _batch.Dispose();
        _oneByOne.Dispose();
        _together.Dispose();
    }

    private void RunTogether(LoadedAdapter?[] adapterOfRow)
    {
        _batch.Set(adapterOfRow);
        _together.Run(_batch);
    }
}
