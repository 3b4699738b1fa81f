using System.Diagnostics.CodeAnalysis;

namespace LoraKernels;

/// <summary>The number format of a matrix. The values are those of <c>lk_dtype</c>.</summary>
[SuppressMessage("Naming", "CA1720", Justification = "The formats are called so.")]
public enum DType
{
    /// <summary>IEEE binary32: <see cref="float"/>.</summary>
    Float32 = 0,

    /// <summary>IEEE binary16: <see cref="Half"/>.</summary>
    Float16 = 1,

    /// <summary>The upper half of binary32: <see cref="LoraKernels.BFloat16"/>.</summary>
    BFloat16 = 2,
}

internal static class DTypes
{
    /// <summary>Bytes of an element.</summary>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.Float32 => sizeof(float),
        DType.Float16 or DType.BFloat16 => sizeof(ushort),
        _ => throw new ArgumentOutOfRangeException(
            nameof(dtype), dtype, "a dtype is Float32, Float16 or BFloat16"),
    };

    /// <summary>The dtype of an element type; a constant once compiled.</summary>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is none of the three.</exception>
    public static DType Of<T>()
        where T : unmanaged
    {
        if (typeof(T) == typeof(float))
            return DType.Float32;
        if (typeof(T) == typeof(Half))
            return DType.Float16;
        if (typeof(T) == typeof(BFloat16))
            return DType.BFloat16;
        throw new NotSupportedException(
            $"elements of type {typeof(T)} are not supported; use float, Half or LoraKernels.BFloat16");
    }
}
