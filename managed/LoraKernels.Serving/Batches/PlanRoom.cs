namespace LoraKernels.Serving;

/// <summary>What is left of a batch's capacity while a step is put together.</summary>
internal ref struct PlanRoom(LoraBatchCapacity capacity, long step)
{
    private long _rows = capacity.MaxRows;
    private long _entries = capacity.MaxEntries;
    private long _segments = capacity.MaxSegments;
    private long _tiles = capacity.MaxRankTiles;

    /// <summary>
    /// Takes what a sequence's rows need, or nothing where that is not left. Its adapters were read.
    /// </summary>
    public bool TryTake(ReadOnlySpan<RowAdapter> terms, int rows)
    {
        long entries = 0, tiles = 0, segments = 0;
        for (int i = 0; i < terms.Length; i++)
        {
            if (terms[i].Adapter is not { } adapter)
                continue;
            entries += rows;
            tiles += rows * adapter.Shape!.RankTiles;
            if (adapter.SegmentInStep != step && !IsBefore(terms, i))
                segments++;
        }
        if (rows > _rows || entries > _entries || tiles > _tiles || segments > _segments)
            return false;
        _rows -= rows;
        _entries -= entries;
        _tiles -= tiles;
        _segments -= segments;
        foreach (RowAdapter term in terms)
        {
            if (term.Adapter is not null)
                term.Adapter.SegmentInStep = step;
        }
        return true;
    }

    private static bool IsBefore(ReadOnlySpan<RowAdapter> terms, int index)
    {
        for (int i = 0; i < index; i++)
        {
            if (ReferenceEquals(terms[i].Adapter, terms[index].Adapter))
                return true;
        }
        return false;
    }
}
