namespace LoraKernels.Checkpoints;

/// <summary>
/// A part of a weight, for tensor parallelism: some of its rows (out features) or of its columns (in features).
/// </summary>
/// <remarks>
/// Scales, and words of several codes, are not cut: a slice begins and ends where one does, or at the weight's end.
/// </remarks>
public readonly record struct WeightSlice
{
    private WeightSlice(bool rows, long first, long count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        OfRows = rows;
        First = first;
        Count = count;
    }

    /// <summary>Whether rows are cut, not columns.</summary>
    public bool OfRows { get; }

    /// <summary>The first row or column.</summary>
    public long First { get; }

    /// <summary>How many, 1 or more.</summary>
    public long Count { get; }

    /// <summary>Rows of W: each device computes some of a layer's outputs.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A negative first one, or none at all.</exception>
    public static WeightSlice Rows(long first, long count) => new(true, first, count);

    /// <summary>Columns of W: each device takes some of a layer's inputs, and results are added up.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A negative first one, or none at all.</exception>
    public static WeightSlice Columns(long first, long count) => new(false, first, count);

    /// <inheritdoc/>
    public override string ToString() => $"{(OfRows ? "rows" : "columns")} [{First}, {First + Count})";
}
