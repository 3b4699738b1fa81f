namespace LoraKernels.Bridges;

/// <summary>A stretch of a host engine's memory. Compiled into every bridge.</summary>
/// <param name="Data">Its address in the device's address space; may be 0 where it is empty.</param>
/// <param name="Length">Its elements.</param>
/// <param name="Owner">The engine's object that frees it, or null.</param>
internal readonly record struct BorrowedMemory(nint Data, long Length, object? Owner)
{
    /// <summary>A matrix that begins where the memory does.</summary>
    /// <param name="device">A device that reaches the memory.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="columns">Columns.</param>
    /// <param name="rowStride">Elements from one row to the next.</param>
    /// <param name="argument">What the caller knows the memory as.</param>
    /// <exception cref="ArgumentException">The matrix does not lie inside the memory.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative size, or a stride below the columns.</exception>
    public DeviceTensor<T> AsMatrix<T>(Device device, long rows, long columns, long rowStride, string argument)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfLessThan(rowStride, columns);
        Int128 needed = rows == 0 || columns == 0 ? 0 : (Int128)(rows - 1) * rowStride + columns;
        if (needed > Length)
        {
            throw new ArgumentException(
                $"{argument} has {Length} elements; the matrix [{rows}, {columns}] with rows {rowStride} elements "
                + $"apart needs {needed}",
                argument);
        }
        return DeviceTensor<T>.Borrow(device, Data, rows, columns, rowStride, Owner);
    }
}
