using ILGPU;
using ILGPU.Runtime;

namespace LoraKernels.Bridges;

/// <content>Matrices in ILGPU's memory.</content>
public sealed partial class IlgpuDevice
{
    /// <summary>
    /// Memory of the accelerator's as a matrix of LoraKernels, rows one after the other or further apart.
    /// </summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="System.Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="view">
    /// Where the matrix begins: <c>buffer.View</c> or a <c>SubView</c> of it. Elements of another type with the same
    /// bits are seen through ILGPU's <c>Cast</c>: BFloat16 values held as ushort, for example.
    /// </param>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="columns">Columns, 0 or more.</param>
    /// <param name="rowStride">Elements from one row to the next; null for <paramref name="columns"/>.</param>
    /// <returns>A view: dispose it, which frees nothing. It keeps the buffer from being collected until then.</returns>
    /// <exception cref="ArgumentException">
    /// <paramref name="view"/> is shorter than the matrix, or of another accelerator.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A negative size, or a stride below <paramref name="columns"/>.
    /// </exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    /// <exception cref="ObjectDisposedException">The buffer is disposed.</exception>
    public DeviceTensor<T> Borrow<T>(ArrayView<T> view, long rows, long columns, long? rowStride = null)
        where T : unmanaged =>
        Borrow<T, T>(view, rows, columns, rowStride ?? columns);

    /// <summary>A matrix whose rows are the lines of a view along x: its element (r, c) is <c>view[c, r]</c>.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="System.Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="view">Its y extent are the rows, its x extent the columns.</param>
    /// <inheritdoc cref="Borrow{T}(ArrayView{T}, long, long, long?)" path="/returns|/exception"/>
    public DeviceTensor<T> Borrow<T>(ArrayView2D<T, Stride2D.DenseX> view)
        where T : unmanaged =>
        Borrow<T, T>(view.BaseView, view.Extent.Y, view.Extent.X, view.Stride.YStride);

    /// <summary>
    /// A matrix whose rows are the lines of a view along y, as C#'s two-dimensional arrays have them: its element
    /// (r, c) is <c>view[r, c]</c>.
    /// </summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="System.Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="view">Its x extent are the rows, its y extent the columns.</param>
    /// <inheritdoc cref="Borrow{T}(ArrayView{T}, long, long, long?)" path="/returns|/exception"/>
    public DeviceTensor<T> Borrow<T>(ArrayView2D<T, Stride2D.DenseY> view)
        where T : unmanaged =>
        Borrow<T, T>(view.BaseView, view.Extent.X, view.Extent.Y, view.Stride.XStride);

    /// <inheritdoc cref="Borrow{T}(ArrayView{T}, long, long, long?)"/>
    /// <remarks>ILGPU's own half has the bits of <see cref="System.Half"/>.</remarks>
    public DeviceTensor<System.Half> Borrow(
        ArrayView<ILGPU.Half> view, long rows, long columns, long? rowStride = null) =>
        Borrow<ILGPU.Half, System.Half>(view, rows, columns, rowStride ?? columns);

    /// <inheritdoc cref="Borrow{T}(ArrayView2D{T, Stride2D.DenseX})"/>
    /// <remarks>ILGPU's own half has the bits of <see cref="System.Half"/>.</remarks>
    public DeviceTensor<System.Half> Borrow(ArrayView2D<ILGPU.Half, Stride2D.DenseX> view) =>
        Borrow<ILGPU.Half, System.Half>(view.BaseView, view.Extent.Y, view.Extent.X, view.Stride.YStride);

    /// <inheritdoc cref="Borrow{T}(ArrayView2D{T, Stride2D.DenseY})"/>
    /// <remarks>ILGPU's own half has the bits of <see cref="System.Half"/>.</remarks>
    public DeviceTensor<System.Half> Borrow(ArrayView2D<ILGPU.Half, Stride2D.DenseY> view) =>
        Borrow<ILGPU.Half, System.Half>(view.BaseView, view.Extent.X, view.Extent.Y, view.Stride.XStride);

    /// <typeparam name="T">ILGPU's type of the elements.</typeparam>
    /// <typeparam name="TElement">Our type of the same bits.</typeparam>
    private DeviceTensor<TElement> Borrow<T, TElement>(ArrayView<T> view, long rows, long columns, long rowStride)
        where T : unmanaged
        where TElement : unmanaged
    {
        // A view of nothing has no buffer, and so neither accelerator nor address.
        MemoryBuffer? buffer = ((IArrayView)view).Buffer;
        nint data = 0;
        if (buffer is not null)
        {
            ObjectDisposedException.ThrowIf(buffer.IsDisposed, buffer);
            RequireSameAccelerator(buffer.Accelerator, nameof(view));
            data = view.LoadEffectiveAddressAsPtr();
        }
        var memory = new BorrowedMemory(data, view.Length, buffer);
        return memory.AsMatrix<TElement>(Device, rows, columns, rowStride, nameof(view));
    }
}
