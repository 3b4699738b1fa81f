using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// A row-major matrix in device memory: allocated by <see cref="Device.Allocate"/>, cut from another by
/// <see cref="Slice"/>, or borrowed from the host engine by <see cref="Borrow"/>.
/// </summary>
/// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
public sealed partial class DeviceTensor<T> : DeviceTensor
    where T : unmanaged
{
    internal DeviceTensor(Device device, NativeHandle? memory, nint data, long rows, long columns, long rowStride)
        : base(device, memory, data, rows, columns, rowStride, DTypes.Of<T>())
    {
    }

    /// <summary>
    /// A rectangle of this matrix. It shares the memory and keeps it alive, also when this matrix is disposed first;
    /// dispose both.
    /// </summary>
    /// <param name="rowStart">The first row.</param>
    /// <param name="rowCount">How many rows.</param>
    /// <param name="columnStart">The first column.</param>
    /// <param name="columnCount">How many columns.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rectangle is not inside this matrix.</exception>
    /// <exception cref="ObjectDisposedException">The tensor is disposed.</exception>
    public DeviceTensor<T> Slice(long rowStart, long rowCount, long columnStart, long columnCount)
    {
        RequireInside(rowStart, rowCount, Rows, "rows", nameof(rowStart));
        RequireInside(columnStart, columnCount, Columns, "columns", nameof(columnStart));
        using Lease lease = Hold();
        // An empty slice may start past the last row: its address must not leave the memory, so it keeps the start.
        nint data = rowCount == 0 || columnCount == 0
            ? Data
            : Data + (nint)((rowStart * RowStride + columnStart) * DType.Size());
        return new DeviceTensor<T>(Device, Share(), data, rowCount, columnCount, RowStride);
    }

    /// <summary>Some whole rows of this matrix; see <see cref="Slice"/>.</summary>
    /// <param name="start">The first row.</param>
    /// <param name="count">How many rows.</param>
    /// <exception cref="ArgumentOutOfRangeException">The rows are not inside this matrix.</exception>
    /// <exception cref="ObjectDisposedException">The tensor is disposed.</exception>
    public DeviceTensor<T> SliceRows(long start, long count) => Slice(start, count, 0, Columns);

    /// <summary>Some whole columns of this matrix; see <see cref="Slice"/>.</summary>
    /// <param name="start">The first column.</param>
    /// <param name="count">How many columns.</param>
    /// <exception cref="ArgumentOutOfRangeException">The columns are not inside this matrix.</exception>
    /// <exception cref="ObjectDisposedException">The tensor is disposed.</exception>
    public DeviceTensor<T> SliceColumns(long start, long count) => Slice(0, Rows, start, count);

    /// <summary>
    /// A view of memory that the host engine owns. The memory must stay valid for as long as the view, slices of it and
    /// graphs with it are used; disposing the view frees nothing.
    /// </summary>
    /// <param name="device">Where the memory is.</param>
    /// <param name="data">
    /// The address of element (0, 0) in the device's address space, aligned to the element size; may be 0 where there
    /// are no elements.
    /// </param>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="columns">Columns, 0 or more.</param>
    /// <param name="rowStride">Elements from one row to the next, <paramref name="columns"/> or more.</param>
    /// <param name="owner">
    /// The engine's object that frees the memory when it is collected; the view, its slices and graphs keep it from
    /// that until they are disposed. Null where there is none.
    /// </param>
    /// <exception cref="ArgumentException">
    /// <paramref name="data"/> is 0 with elements, or misaligned.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A negative size, a stride below <paramref name="columns"/>, or more than 2⁶³ - 1 bytes.
    /// </exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    [SuppressMessage("Design", "CA1000", Justification = "Nothing in the arguments has the element type.")]
    public static DeviceTensor<T> Borrow(
        Device device, nint data, long rows, long columns, long rowStride, object? owner = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        int size = DTypes.Of<T>().Size();
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfLessThan(rowStride, columns);
        CountBytes(rows, rowStride, size);
        if (data == 0 && rows > 0 && columns > 0)
            throw new ArgumentException($"data is 0, but [{rows}, {columns}] has elements", nameof(data));
        if (data % size != 0)
        {
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"data is 0x{data:x}, not a multiple of {size} bytes"),
                nameof(data));
        }
        BorrowedHandle? hold = owner is null ? null : new BorrowedHandle(owner);
        return new DeviceTensor<T>(device, hold, data, rows, columns, rowStride);
    }

    /// <summary>Type, shape and place, such as "Half [32, 4096] on cpu:portable".</summary>
    public override string ToString() => $"{typeof(T).Name} [{Rows}, {Columns}] on {Device}";

    private static void RequireInside(long start, long count, long size, string what, string argument)
    {
        if (start < 0 || count < 0 || start > size - count)
        {
            throw new ArgumentOutOfRangeException(
                argument, start, $"{count} {what} from {start} are not inside the matrix, which has {size} {what}");
        }
    }
}
