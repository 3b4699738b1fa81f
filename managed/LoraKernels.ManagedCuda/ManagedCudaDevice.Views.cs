using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using ManagedCuda;
using ManagedCuda.BasicTypes;

namespace LoraKernels.Bridges;

/// <content>Matrices in ManagedCuda's memory.</content>
public sealed partial class ManagedCudaDevice
{
    /// <summary>Device memory as a matrix of LoraKernels, rows one after the other or further apart.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="memory">Allocated in this device's context. The matrix begins where it does.</param>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="columns">Columns, 0 or more.</param>
    /// <param name="rowStride">Elements from one row to the next; null for <paramref name="columns"/>.</param>
    /// <returns>A view: dispose it, which frees nothing. It keeps <paramref name="memory"/> until then.</returns>
    /// <exception cref="ArgumentException"><paramref name="memory"/> is shorter than the matrix.</exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A negative size, or a stride below <paramref name="columns"/>.
    /// </exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    public DeviceTensor<T> Borrow<T>(CudaDeviceVariable<T> memory, long rows, long columns, long? rowStride = null)
        where T : unmanaged =>
        Borrow<T, T>(memory, rows, columns, rowStride);

    /// <summary>Pitched device memory as a matrix of LoraKernels: its rows are the matrix's.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="memory">Allocated in this device's context. Its height are the rows, its width the columns.</param>
    /// <returns>A view: dispose it, which frees nothing. It keeps <paramref name="memory"/> until then.</returns>
    /// <exception cref="ArgumentException">The pitch is not a multiple of the element size.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    public DeviceTensor<T> Borrow<T>(CudaPitchedDeviceVariable<T> memory)
        where T : unmanaged =>
        Borrow<T, T>(memory);

    /// <inheritdoc cref="Borrow{T}(CudaDeviceVariable{T}, long, long, long?)"/>
    /// <remarks>ManagedCuda's own half has the bits of <see cref="Half"/>.</remarks>
    public DeviceTensor<Half> Borrow(
        CudaDeviceVariable<half> memory, long rows, long columns, long? rowStride = null) =>
        Borrow<half, Half>(memory, rows, columns, rowStride);

    /// <inheritdoc cref="Borrow{T}(CudaPitchedDeviceVariable{T})"/>
    /// <remarks>ManagedCuda's own half has the bits of <see cref="Half"/>.</remarks>
    public DeviceTensor<Half> Borrow(CudaPitchedDeviceVariable<half> memory) => Borrow<half, Half>(memory);

    /// <inheritdoc cref="Borrow{T}(CudaDeviceVariable{T}, long, long, long?)"/>
    /// <remarks>ManagedCuda's own bfloat16 has the bits of <see cref="BFloat16"/>.</remarks>
    public DeviceTensor<BFloat16> Borrow(
        CudaDeviceVariable<bfloat16> memory, long rows, long columns, long? rowStride = null) =>
        Borrow<bfloat16, BFloat16>(memory, rows, columns, rowStride);

    /// <inheritdoc cref="Borrow{T}(CudaPitchedDeviceVariable{T})"/>
    /// <remarks>ManagedCuda's own bfloat16 has the bits of <see cref="BFloat16"/>.</remarks>
    public DeviceTensor<BFloat16> Borrow(CudaPitchedDeviceVariable<bfloat16> memory) =>
        Borrow<bfloat16, BFloat16>(memory);

    /// <typeparam name="T">ManagedCuda's type of the elements.</typeparam>
    /// <typeparam name="TElement">Our type of the same bits.</typeparam>
    private DeviceTensor<TElement> Borrow<T, TElement>(
        [NotNull] CudaDeviceVariable<T>? memory, long rows, long columns, long? rowStride)
        where T : unmanaged
        where TElement : unmanaged
    {
        ArgumentNullException.ThrowIfNull(memory);
        var borrowed = new BorrowedMemory(AddressOf(memory.DevicePointer), (long)(ulong)memory.Size, memory);
        return borrowed.AsMatrix<TElement>(Device, rows, columns, rowStride ?? columns, nameof(memory));
    }

    /// <inheritdoc cref="Borrow{T, TElement}(CudaDeviceVariable{T}, long, long, long?)"/>
    private DeviceTensor<TElement> Borrow<T, TElement>([NotNull] CudaPitchedDeviceVariable<T>? memory)
        where T : unmanaged
        where TElement : unmanaged
    {
        ArgumentNullException.ThrowIfNull(memory);
        ulong pitch = memory.Pitch;
        int size = Unsafe.SizeOf<T>();
        if (pitch % (ulong)size != 0)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"memory has a pitch of {pitch} bytes; allowed are multiples of the {size} bytes of an element"),
                nameof(memory));
        }
        long rows = (long)(ulong)memory.Height, rowStride = (long)(pitch / (ulong)size);
        var borrowed = new BorrowedMemory(AddressOf(memory.DevicePointer), rows * rowStride, memory);
        return borrowed.AsMatrix<TElement>(Device, rows, (long)(ulong)memory.Width, rowStride, nameof(memory));
    }

    private static nint AddressOf(CUdeviceptr pointer) => unchecked((nint)(ulong)pointer);
}
