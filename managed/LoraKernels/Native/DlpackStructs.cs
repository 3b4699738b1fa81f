using System.Runtime.InteropServices;

namespace LoraKernels.Native;

// dlpack.h, as every version of the format has had it; the names are the header's.

internal enum DLDeviceType
{
    Cpu = 1,
    Cuda = 2,
}

internal enum DLDataTypeCode : byte
{
    Float = 2,
    Bfloat = 4,
}

[StructLayout(LayoutKind.Sequential)]
internal struct DLDevice
{
    public DLDeviceType Type;
    public int Id;
}

[StructLayout(LayoutKind.Sequential)]
internal record struct DLDataType(DLDataTypeCode Code, byte Bits, ushort Lanes);

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DLTensor
{
    public void* Data;
    public DLDevice Device;
    public int Ndim;
    public DLDataType Dtype;
    public long* Shape;

    /// <summary>In elements; null for rows one after the other.</summary>
    public long* Strides;

    public ulong ByteOffset;
}

[StructLayout(LayoutKind.Sequential)]
internal unsafe struct DLManagedTensor
{
    public DLTensor Tensor;
    public void* ManagerContext;

    /// <summary>Called once by the consumer when it is done; null where there is nothing to do.</summary>
    public delegate* unmanaged[Cdecl]<DLManagedTensor*, void> Deleter;
}
