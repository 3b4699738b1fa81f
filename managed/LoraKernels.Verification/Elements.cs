using System.Runtime.CompilerServices;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <summary>Elements of activations to and from numbers, by the reference's own rounding.</summary>
internal static class Elements
{
    public static DType DTypeOf<T>()
        where T : unmanaged => default(T) switch
        {
            float => DType.Float32,
            Half => DType.Float16,
            BFloat16 => DType.BFloat16,
            _ => throw new NotSupportedException($"{typeof(T)} is not float, Half or BFloat16."),
        };

    public static T FromFloat<T>(float value)
        where T : unmanaged => DTypeOf<T>() switch
        {
            DType.Float32 => Unsafe.BitCast<float, T>(value),
            DType.Float16 => Unsafe.BitCast<ushort, T>(ReferenceRounding.ToFloat16Bits(value)),
            _ => Unsafe.BitCast<ushort, T>(ReferenceRounding.ToBFloat16Bits(value)),
        };

    public static float ToFloat<T>(T value)
        where T : unmanaged => DTypeOf<T>() switch
        {
            DType.Float32 => Unsafe.BitCast<T, float>(value),
            DType.Float16 => ReferenceRounding.FromFloat16Bits(Unsafe.BitCast<T, ushort>(value)),
            _ => ReferenceRounding.FromBFloat16Bits(Unsafe.BitCast<T, ushort>(value)),
        };

    public static T[] FromFloats<T>(float[] values)
        where T : unmanaged => Array.ConvertAll(values, FromFloat<T>);

    public static float[] ToFloats<T>(T[] values)
        where T : unmanaged => Array.ConvertAll(values, ToFloat);

    public static double[] ToDoubles<T>(T[] values)
        where T : unmanaged => Array.ConvertAll(values, value => (double)ToFloat(value));
}
