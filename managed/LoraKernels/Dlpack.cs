using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// Tensors from and to other engines by <see href="https://dmlc.github.io/dlpack">DLPack</see>, without a copy: as
/// pointers to its <c>DLManagedTensor</c>. The format says nothing of streams: who hands a tensor over has its work on
/// it done, or ordered before what follows.
/// </summary>
public static unsafe class Dlpack
{
    /// <summary>Takes over another engine's tensor.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>: the tensor's.</typeparam>
    /// <param name="device">
    /// Where the tensor's memory is; of a GPU also in the same CUDA context (see <see cref="Device.OpenOnStream"/>).
    /// </param>
    /// <param name="managedTensor">
    /// A <c>DLManagedTensor*</c> of one dimension, which becomes a row, or of two. Its deleter is called when the
    /// matrix, its slices and graphs with them are disposed, by the thread that disposes the last. If this call throws,
    /// the tensor is still the caller's.
    /// </param>
    /// <exception cref="ArgumentException">
    /// Another device, element type or number of dimensions, columns that are not next to each other, or a malformed
    /// tensor; the message says which.
    /// </exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    public static DeviceTensor<T> Import<T>(Device device, nint managedTensor)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(device);
        if (managedTensor == 0)
            throw new ArgumentException("managedTensor is NULL", nameof(managedTensor));
        DType dtype = DTypes.Of<T>();
        DLTensor tensor = ((DLManagedTensor*)managedTensor)->Tensor;
        Require(tensor.Dtype == TypeOf(dtype), $"holds {Describe(tensor.Dtype)}; asked for is {dtype}");
        RequirePlace(tensor.Device, device);
        (long rows, long columns, long rowStride) = ShapeOf(tensor);
        bool isEmpty = rows == 0 || columns == 0;
        // Of an empty tensor the address means nothing.
        nint data = isEmpty ? 0 : (nint)tensor.Data + (nint)tensor.ByteOffset;

        // Checks all that remains, and has nothing to give back where it throws.
        using DeviceTensor<T> view = DeviceTensor<T>.Borrow(device, data, rows, columns, rowStride);
        var memory = new ImportedHandle((DLManagedTensor*)managedTensor);
        return new DeviceTensor<T>(device, memory, data, rows, columns, rowStride);
    }

    /// <summary>
    /// Hands a matrix to another engine. Both share its memory, which stays as long as either needs it.
    /// </summary>
    /// <param name="tensor">On a CPU or a CUDA device; of any element type.</param>
    /// <returns>A <c>DLManagedTensor*</c>, whose deleter the other engine calls, once, from any thread.</returns>
    /// <exception cref="NotSupportedException">The tensor is on an emulated device.</exception>
    /// <exception cref="ObjectDisposedException">The tensor is disposed.</exception>
    public static nint Export(DeviceTensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        using Lease lease = tensor.Hold();
        DLDevice place = PlaceOf(tensor.Device);
        // Of the memory, and of nothing where the host engine keeps that by itself.
        SliceHandle? share = tensor.Share();
        var exported = (ExportedTensor*)NativeMemory.AllocZeroed((nuint)sizeof(ExportedTensor));
        exported->Shape[0] = tensor.Rows;
        exported->Shape[1] = tensor.Columns;
        exported->Strides[0] = tensor.RowStride;
        exported->Strides[1] = 1;
        exported->Managed.Tensor = new DLTensor
        {
            Data = (void*)tensor.Data,
            Device = place,
            Ndim = 2,
            Dtype = TypeOf(tensor.DType),
            Shape = exported->Shape,
            Strides = exported->Strides,
        };
        exported->Managed.ManagerContext = share is null ? null : (void*)GCHandle.ToIntPtr(GCHandle.Alloc(share));
        exported->Managed.Deleter = &Delete;
        return (nint)exported;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Delete(DLManagedTensor* managed)
    {
        if (managed->ManagerContext != null)
        {
            GCHandle share = GCHandle.FromIntPtr((nint)managed->ManagerContext);
            ((SliceHandle)share.Target!).Dispose();
            share.Free();
        }
        NativeMemory.Free(managed);
    }

    private static void RequirePlace(DLDevice actual, Device device)
    {
        DLDevice allowed = PlaceOf(device);
        Require(
            actual.Type == allowed.Type && actual.Id == allowed.Id,
            $"is on DLPack's device type {(int)actual.Type}, index {actual.Id}; {device} has type {(int)allowed.Type}, "
            + $"index {allowed.Id}");
    }

    private static (long Rows, long Columns, long RowStride) ShapeOf(in DLTensor tensor)
    {
        Require(tensor.Ndim is 1 or 2, $"has {tensor.Ndim} dimensions; allowed are 1 and 2");
        Require(tensor.Shape != null, "has no shape");
        bool isRow = tensor.Ndim == 1;
        long rows = isRow ? 1 : tensor.Shape[0];
        long columns = tensor.Shape[tensor.Ndim - 1];
        Require(rows >= 0 && columns >= 0, $"has the shape [{rows}, {columns}]");
        if (tensor.Strides == null)
            return (rows, columns, columns);
        long stride = tensor.Strides[tensor.Ndim - 1];
        Require(
            stride == 1 || columns <= 1 || rows == 0,
            $"has columns {stride} elements apart; allowed are those that are next to each other");
        // The stride of a single row means nothing, and engines put anything there.
        if (rows <= 1 || columns == 0)
            return (rows, columns, columns);
        long rowStride = tensor.Strides[0];
        Require(
            rowStride >= columns,
            $"has rows of {columns} columns {rowStride} elements apart; allowed are rows that do not overlap");
        return (rows, columns, rowStride);
    }

    private static DLDevice PlaceOf(Device device) => device.Info.Kind switch
    {
        DeviceKind.Cpu => new DLDevice { Type = DLDeviceType.Cpu, Id = 0 },
        DeviceKind.Cuda => new DLDevice { Type = DLDeviceType.Cuda, Id = device.Info.Index },
        _ => throw new NotSupportedException(
            $"{device} cannot share memory with other engines; CPU and CUDA devices can"),
    };

    private static DLDataType TypeOf(DType dtype) => dtype switch
    {
        DType.BFloat16 => new DLDataType(DLDataTypeCode.Bfloat, 16, 1),
        _ => new DLDataType(DLDataTypeCode.Float, (byte)(8 * dtype.Size()), 1),
    };

    private static string Describe(DLDataType type) => string.Create(
        CultureInfo.InvariantCulture,
        $"elements of DLPack's type code {(int)type.Code} with {type.Bits} bits and {type.Lanes} lanes");

    private static void Require(bool holds, string otherwise, string argument = "managedTensor")
    {
        if (!holds)
            throw new ArgumentException($"{argument} {otherwise}", argument);
    }

    /// <summary>What an exported tensor points to, in one piece with it.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct ExportedTensor
    {
        public DLManagedTensor Managed;
        public fixed long Shape[2];
        public fixed long Strides[2];
    }
}
