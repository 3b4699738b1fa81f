using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LoraKernels.Tests.Api;

/// <summary>Another engine's DLManagedTensor, byte by byte as dlpack.h lays it out on 64-bit machines.</summary>
internal sealed unsafe class ForeignTensor<T> : IDisposable
    where T : unmanaged
{
    private const int Counter = 64;
    private const int Dimensions = 72;

    private readonly byte* _block;

    public ForeignTensor(
        T[] values,
        long[] shape,
        long[]? strides = null,
        ulong byteOffset = 0,
        int deviceType = 1,
        int deviceId = 0,
        byte code = 2,
        ushort lanes = 1,
        bool hasDeleter = true)
    {
        Memory = GC.AllocateUninitializedArray<T>(values.Length, pinned: true);
        values.CopyTo(Memory, 0);
        _block = (byte*)NativeMemory.AllocZeroed((nuint)(Dimensions + 16 * shape.Length));
        long* shapeInBlock = (long*)(_block + Dimensions);
        shape.CopyTo(new Span<long>(shapeInBlock, shape.Length));
        strides?.CopyTo(new Span<long>(shapeInBlock + shape.Length, shape.Length));

        Write(0, Marshal.UnsafeAddrOfPinnedArrayElement(Memory, 0));
        Write(8, deviceType);
        Write(12, deviceId);
        Write(16, shape.Length);
        Write(20, code);
        Write(21, (byte)(8 * sizeof(T)));
        Write(22, lanes);
        Write(24, (nint)shapeInBlock);
        Write(32, strides is null ? 0 : (nint)(shapeInBlock + shape.Length));
        Write(40, byteOffset);
        Write(56, hasDeleter ? (nint)(delegate* unmanaged[Cdecl]<byte*, void>)&ForeignDeleter.Count : 0);
    }

    public T[] Memory { get; }

    public nint Pointer => (nint)_block;

    /// <summary>How often the deleter was called, which here frees nothing.</summary>
    public long Deletions => *(long*)(_block + Counter);

    public void Dispose() => NativeMemory.Free(_block);

    private void Write<TValue>(int offset, TValue value)
        where TValue : unmanaged =>
        Unsafe.WriteUnaligned(_block + offset, value);
}

/// <summary>Reads an exported DLManagedTensor byte by byte, as another engine does.</summary>
internal sealed unsafe class ForeignView(nint pointer)
{
    public nint Pointer => pointer;

    public nint Data => Read<nint>(0);

    public int DeviceType => Read<int>(8);

    public int DeviceId => Read<int>(12);

    public byte Code => Read<byte>(20);

    public byte Bits => Read<byte>(21);

    public ushort Lanes => Read<ushort>(22);

    public long[] Shape => new ReadOnlySpan<long>((void*)Read<nint>(24), Read<int>(16)).ToArray();

    public long[] Strides => new ReadOnlySpan<long>((void*)Read<nint>(32), Read<int>(16)).ToArray();

    public ulong ByteOffset => Read<ulong>(40);

    public void Delete() => ((delegate* unmanaged[Cdecl]<nint, void>)Read<nint>(56))(pointer);

    private T Read<T>(int offset)
        where T : unmanaged =>
        Unsafe.ReadUnaligned<T>((void*)(pointer + offset));
}

internal static unsafe class ForeignDeleter
{
    /// <summary>Counts behind the tensor's 64 bytes.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    public static void Count(byte* tensor) => Interlocked.Increment(ref *(long*)(tensor + 64));
}
