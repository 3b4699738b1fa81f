using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// A row-major matrix in device memory, of any element type: element (r, c) lies <c>r · RowStride + c</c> elements from
/// the start. Every one is a <see cref="DeviceTensor{T}"/>.
/// </summary>
public abstract class DeviceTensor : IDisposable
{
    private readonly NativeHandle? _memory;
    private volatile bool _disposed;

    private protected DeviceTensor(
        Device device, NativeHandle? memory, nint data, long rows, long columns, long rowStride, DType dtype)
    {
        Device = device;
        _memory = memory;
        Data = data;
        Rows = rows;
        Columns = columns;
        RowStride = rowStride;
        DType = dtype;
    }

    /// <summary>Where the memory is.</summary>
    public Device Device { get; }

    /// <summary>Rows; in an activation, tokens.</summary>
    public long Rows { get; }

    /// <summary>Columns; in an activation, features.</summary>
    public long Columns { get; }

    /// <summary>Elements from one row to the next, <see cref="Columns"/> or more.</summary>
    public long RowStride { get; }

    /// <summary>The element type.</summary>
    public DType DType { get; }

    /// <summary>
    /// The address of element (0, 0) in the device's address space, for the host engine. Valid until the tensor is
    /// disposed.
    /// </summary>
    public nint Data { get; }

    /// <summary>
    /// One more handle that keeps the memory, or its owner; null where the host engine does by itself. The caller holds
    /// a lease.
    /// </summary>
    internal SliceHandle? Share() => _memory is null ? null : new SliceHandle(_memory);

    /// <summary>
    /// Lets go of the memory: it is freed once no slice and no running call uses it. Memory of the host engine stays.
    /// </summary>
    public void Dispose()
    {
        _disposed = true;
        _memory?.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Holds the memory for the length of a native call.</summary>
    /// <exception cref="ObjectDisposedException">The tensor is disposed.</exception>
    internal Lease Hold()
    {
        if (_disposed)
            Lease.Refuse(nameof(DeviceTensor));
        return new Lease(_memory);
    }

    /// <summary>The matrix as native calls take it.</summary>
    internal unsafe lk_matrix View() => new()
    {
        data = (void*)Data,
        rows = Rows,
        columns = Columns,
        row_stride = RowStride,
        dtype = (lk_dtype)DType,
    };

    internal static long CountBytes(long rows, long columns, int elementSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        UInt128 bytes = (UInt128)rows * (UInt128)columns * (UInt128)elementSize;
        if (bytes > long.MaxValue)
        {
            throw new ArgumentOutOfRangeException(
                nameof(rows), rows, $"{rows} × {columns} elements of {elementSize} bytes are more than 2⁶³ - 1 bytes");
        }
        return (long)bytes;
    }

    internal static void RequireCount(int actual, long rows, long columns, string argument)
    {
        if (actual != rows * columns)
        {
            throw new ArgumentException(
                $"{argument} has {actual} elements; the matrix [{rows}, {columns}] has {rows * columns}", argument);
        }
    }
}
