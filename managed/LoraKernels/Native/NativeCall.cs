using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LoraKernels.Interop;

namespace LoraKernels.Native;

/// <summary>Statuses to exceptions, and C strings to .NET ones.</summary>
internal static unsafe class NativeCall
{
    /// <summary>Throws unless a call, the calling thread's latest, succeeded.</summary>
    /// <exception cref="LoraKernelsException">The status is not LK_OK.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Check(lk_status status)
    {
        if (status != lk_status.LK_OK)
            Throw(status);
    }

    /// <summary>The exception for a failed call, the calling thread's latest.</summary>
    public static LoraKernelsException Failure(lk_status status) =>
        LoraKernelsException.From((LoraKernelsStatus)status, Text(NativeMethods.lk_last_error()));

    public static string Text(byte* utf8) => Marshal.PtrToStringUTF8((nint)utf8) ?? "";

    public static DeviceInfo Info(in lk_device_info info)
    {
        fixed (byte* name = info.name, isa = info.isa)
        {
            return new DeviceInfo(
                (DeviceKind)info.kind, info.index, Text(name), Text(isa), info.compute_units, info.memory_bytes);
        }
    }

    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Throw(lk_status status) => throw Failure(status);
}
