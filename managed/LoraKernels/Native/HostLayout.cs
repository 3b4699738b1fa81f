namespace LoraKernels.Native;

/// <summary>Where the elements of a 2-D tensor span lie.</summary>
/// <param name="Rows">Rows.</param>
/// <param name="Columns">Columns.</param>
/// <param name="RowStride">Elements from one row to the next.</param>
/// <param name="ColumnStride">Elements from one column to the next.</param>
internal readonly record struct HostLayout(nint Rows, nint Columns, nint RowStride, nint ColumnStride)
{
    /// <summary>Whether a native matrix view can describe it.</summary>
    public bool IsRowMajor => Rows == 0 || Columns == 0 || (ColumnStride == 1 && RowStride >= Columns);

    /// <summary>
    /// Whether elements may share memory: a dimension stands still, or neither steps over all of the other.
    /// </summary>
    public bool Overlaps =>
        Rows > 0 && Columns > 0
        && ((Rows > 1 && RowStride <= 0) || (Columns > 1 && ColumnStride <= 0)
            || (RowStride <= (Columns - 1) * ColumnStride && ColumnStride <= (Rows - 1) * RowStride));

    /// <summary>Tensor spans give a dimension of one element the stride 0; a matrix view needs a plain one.</summary>
    public static HostLayout Of(ReadOnlySpan<nint> lengths, ReadOnlySpan<nint> strides) => new(
        lengths[0],
        lengths[1],
        lengths[0] > 1 && lengths[1] > 0 ? strides[0] : lengths[1],
        lengths[1] > 1 ? strides[1] : 1);

    public nint Offset(nint row, nint column) => row * RowStride + column * ColumnStride;
}
