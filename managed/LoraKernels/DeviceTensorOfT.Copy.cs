using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

public sealed partial class DeviceTensor<T>
{
    /// <summary>Fills the matrix from host memory. Complete when it returns.</summary>
    /// <param name="source">The elements, row by row; <c>Rows</c> × <c>Columns</c> of them.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">Another number of elements, or a stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The tensor or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.Busy"/>.</exception>
    [OverloadResolutionPriority(1)]
    public unsafe void CopyFrom(ReadOnlySpan<T> source, DeviceStream? stream = null)
    {
        RequireCount(source.Length, Rows, Columns, nameof(source));
        fixed (T* data = source)
            CopyHost(data, Columns, lk_copy_kind.LK_COPY_HOST_TO_DEVICE, stream);
    }

    /// <summary>Fills the matrix from host memory of any strides. Complete when it returns.</summary>
    /// <param name="source">
    /// [Rows, Columns]. Where the elements of a row do not lie next to each other, it is copied through a temporary.
    /// </param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">Another shape, or a stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The tensor or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.Busy"/>.</exception>
    public unsafe void CopyFrom(in ReadOnlyTensorSpan<T> source, DeviceStream? stream = null)
    {
        RequireShape(source.Lengths, nameof(source));
        HostLayout layout = HostLayout.Of(source.Lengths, source.Strides);
        ref readonly T first = ref TensorMarshal.GetReference(source);
        if (layout.IsRowMajor)
        {
            fixed (T* data = &first)
                CopyHost(data, layout.RowStride, lk_copy_kind.LK_COPY_HOST_TO_DEVICE, stream);
            return;
        }
        T[] dense = RentDense(out int count);
        try
        {
            int next = 0;
            for (nint row = 0; row < layout.Rows; row++)
            {
                for (nint column = 0; column < layout.Columns; column++)
                    dense[next++] = Unsafe.Add(ref Unsafe.AsRef(in first), layout.Offset(row, column));
            }
            CopyFrom(dense.AsSpan(0, count), stream);
        }
        finally
        {
            ArrayPool<T>.Shared.Return(dense);
        }
    }

    /// <summary>Copies the matrix to host memory. Complete when it returns.</summary>
    /// <param name="destination">The elements, row by row; <c>Rows</c> × <c>Columns</c> of them.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">Another number of elements, or a stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The tensor or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.Busy"/>.</exception>
    [OverloadResolutionPriority(1)]
    public unsafe void CopyTo(Span<T> destination, DeviceStream? stream = null)
    {
        RequireCount(destination.Length, Rows, Columns, nameof(destination));
        fixed (T* data = destination)
            CopyHost(data, Columns, lk_copy_kind.LK_COPY_DEVICE_TO_HOST, stream);
    }

    /// <summary>Copies the matrix to host memory of any strides. Complete when it returns.</summary>
    /// <param name="destination">
    /// [Rows, Columns]. Where the elements of a row do not lie next to each other, it is copied through a temporary.
    /// </param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">
    /// Another shape, strides that make elements share memory, or a stream of another device.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The tensor or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.Busy"/>.</exception>
    public unsafe void CopyTo(in TensorSpan<T> destination, DeviceStream? stream = null)
    {
        RequireShape(destination.Lengths, nameof(destination));
        HostLayout layout = HostLayout.Of(destination.Lengths, destination.Strides);
        ref T first = ref TensorMarshal.GetReference(destination);
        if (layout.IsRowMajor)
        {
            fixed (T* data = &first)
                CopyHost(data, layout.RowStride, lk_copy_kind.LK_COPY_DEVICE_TO_HOST, stream);
            return;
        }
        if (layout.Overlaps)
        {
            throw new ArgumentException(
                $"destination has strides [{layout.RowStride}, {layout.ColumnStride}]: elements would share memory",
                nameof(destination));
        }
        T[] dense = RentDense(out int count);
        try
        {
            CopyTo(dense.AsSpan(0, count), stream);
            int next = 0;
            for (nint row = 0; row < layout.Rows; row++)
            {
                for (nint column = 0; column < layout.Columns; column++)
                    Unsafe.Add(ref first, layout.Offset(row, column)) = dense[next++];
            }
        }
        finally
        {
            ArrayPool<T>.Shared.Return(dense);
        }
    }

    /// <summary>Copies the matrix to another one of its device. Enqueued on the stream.</summary>
    /// <param name="destination">[Rows, Columns]; shares no memory with this one.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">The destination or the stream is on another device.</exception>
    /// <exception cref="ObjectDisposedException">A tensor or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.ShapeMismatch"/>, <see cref="LoraKernelsStatus.Overlap"/> or
    /// <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public unsafe void CopyTo(DeviceTensor<T> destination, DeviceStream? stream = null)
    {
        stream ??= Device.DefaultStream;
        stream.RequireSamePlace(Device, nameof(stream));
        using var context = new Lease(stream.Handle);
        using Lease sourceMemory = Hold();
        using Lease destinationMemory = stream.Hold(destination, nameof(destination));
        lk_matrix from = View();
        lk_matrix to = destination.View();
        NativeCall.Check(NativeMethods.lk_copy(
            (lk_context*)context.Pointer, &from, lk_copy_kind.LK_COPY_DEVICE_TO_DEVICE, &to));
    }

    /// <summary>The elements, row by row, in a new array. Complete when it returns.</summary>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The tensor or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.Busy"/>.</exception>
    public T[] ToArray(DeviceStream? stream = null)
    {
        var values = new T[checked(Rows * Columns)];
        CopyTo(values.AsSpan(), stream);
        return values;
    }

    private unsafe void CopyHost(T* data, long rowStride, lk_copy_kind kind, DeviceStream? stream)
    {
        stream ??= Device.DefaultStream;
        stream.RequireSamePlace(Device, nameof(stream));
        using var context = new Lease(stream.Handle);
        using Lease memory = Hold();
        lk_matrix device = View();
        lk_matrix host = device;
        host.data = data;
        host.row_stride = rowStride;
        bool upload = kind == lk_copy_kind.LK_COPY_HOST_TO_DEVICE;
        var native = (lk_context*)context.Pointer;
        NativeCall.Check(NativeMethods.lk_copy(native, upload ? &host : &device, kind, upload ? &device : &host));
        // The host memory is pinned until here only.
        NativeCall.Check(NativeMethods.lk_context_synchronize(native));
    }

    private T[] RentDense(out int count)
    {
        count = checked((int)(Rows * Columns));
        return ArrayPool<T>.Shared.Rent(count);
    }

    private void RequireShape(ReadOnlySpan<nint> lengths, string argument)
    {
        if (lengths.Length != 2 || lengths[0] != Rows || lengths[1] != Columns)
        {
            throw new ArgumentException(
                $"{argument} has the shape [{string.Join(", ", lengths.ToArray())}]; [{Rows}, {Columns}] is needed",
                argument);
        }
    }
}
