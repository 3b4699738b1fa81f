namespace LoraKernels.Checkpoints;

/// <summary>
/// How one of a weight's tensors lies over its rows n and columns k: a matrix of elements, each of which holds what belongs
/// to <see cref="RowUnit"/> rows and <see cref="ColumnUnit"/> columns.
/// </summary>
/// <param name="Bytes">Of an element.</param>
/// <param name="RowUnit">Rows that share an element.</param>
/// <param name="ColumnUnit">Columns that share an element.</param>
/// <param name="ColumnMajor">Whether elements of neighbouring rows lie side by side.</param>
internal readonly record struct Plane(long Bytes, long RowUnit, long ColumnUnit, bool ColumnMajor = false)
{
    /// <summary>Where the elements of a range of rows and columns lie, which begins and ends with elements.</summary>
    /// <param name="bytes">Of the whole tensor.</param>
    /// <param name="outFeatures">N of the whole weight.</param>
    /// <param name="inFeatures">K of the whole weight.</param>
    /// <param name="rows">What is cut out.</param>
    /// <param name="columns">What is cut out.</param>
    /// <exception cref="ArgumentException">The tensor has another size.</exception>
    public ByteRuns Runs(long bytes, long outFeatures, long inFeatures, Extent rows, Extent columns)
    {
        long rowsOfElements = Elements(new Extent(0, outFeatures), RowUnit).Count;
        long columnsOfElements = Elements(new Extent(0, inFeatures), ColumnUnit).Count;
        if (rowsOfElements * columnsOfElements * Bytes != bytes)
        {
            throw new ArgumentException($"a tensor of a weight [{outFeatures}, {inFeatures}] has {bytes} bytes; "
                + $"expected {rowsOfElements * columnsOfElements * Bytes}", nameof(bytes));
        }
        long minor = ColumnMajor ? rowsOfElements : columnsOfElements;
        (Extent rowElements, Extent columnElements) = (Elements(rows, RowUnit), Elements(columns, ColumnUnit));
        var (majors, minors) = ColumnMajor ? (columnElements, rowElements) : (rowElements, columnElements);
        return new ByteRuns(
            (majors.First * minor + minors.First) * Bytes, minors.Count * Bytes, majors.Count, minor * Bytes).Joined();
    }

    /// <summary>Puts tensors of weights with the same columns below each other.</summary>
    public byte[] Stack(IReadOnlyList<ReadOnlyMemory<byte>> tensors, IReadOnlyList<long> rows, long columns)
    {
        byte[] whole = new byte[tensors.Sum(t => (long)t.Length)];
        if (!ColumnMajor)
        {
            int at = 0;
            foreach (var tensor in tensors)
            {
                tensor.Span.CopyTo(whole.AsSpan(at));
                at += tensor.Length;
            }
            return whole;
        }
        long majors = Elements(new Extent(0, columns), ColumnUnit).Count;
        int run = majors == 0 ? 0 : (int)(whole.Length / majors);
        int first = 0;
        for (int i = 0; i < tensors.Count; i++)
        {
            int own = (int)(Elements(new Extent(0, rows[i]), RowUnit).Count * Bytes);
            for (int major = 0; major < majors; major++)
                tensors[i].Span.Slice(major * own, own).CopyTo(whole.AsSpan(major * run + first));
            first += own;
        }
        return whole;
    }

    private static Extent Elements(Extent extent, long unit)
    {
        long first = extent.First / unit;
        return new Extent(first, (extent.First + extent.Count + unit - 1) / unit - first);
    }
}

/// <summary>A range of rows, columns or elements.</summary>
internal readonly record struct Extent(long First, long Count);
