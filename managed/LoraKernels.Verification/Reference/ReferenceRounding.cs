namespace LoraKernels.Verification.Reference;

/// <summary>
/// Rounding of fp32 to fp16 and bf16 and back, written on the bits. Nearest, ties to even; overflow gives infinity;
/// subnormals are kept; every NaN becomes one quiet NaN, its sign kept.
/// </summary>
public static class ReferenceRounding
{
    private const uint Float32Infinity = 0x7F80_0000;

    /// <summary>Bits of the binary16 nearest to <paramref name="value"/>.</summary>
    public static ushort ToFloat16Bits(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = (bits >> 16) & 0x8000;
        uint magnitude = bits & 0x7FFF_FFFF;
        if (magnitude > Float32Infinity)
            return (ushort)(sign | 0x7E00);

        int exponent = (int)(magnitude >> 23) - 127;
        if (exponent > 15)
            return (ushort)(sign | 0x7C00);
        if (exponent < -25)
            return (ushort)sign;

        // Below 2^-14 the step stays at 2^-24, so fewer bits of the significand survive. A carry out of the
        // significand runs into the exponent, which is the right answer, up to infinity.
        uint significand = (magnitude & 0x007F_FFFF) | 0x0080_0000;
        bool normal = exponent >= -14;
        int dropped = normal ? 13 : 13 + (-14 - exponent);
        uint kept = RoundShift(significand, dropped);
        uint biased = normal ? (uint)(exponent + 14) << 10 : 0;
        return (ushort)(sign | (biased + kept));
    }

    /// <summary>Bits of the bfloat16 nearest to <paramref name="value"/>.</summary>
    public static ushort ToBFloat16Bits(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        uint sign = (bits >> 16) & 0x8000;
        uint magnitude = bits & 0x7FFF_FFFF;
        return magnitude > Float32Infinity
            ? (ushort)(sign | 0x7FC0)
            : (ushort)(sign | RoundShift(magnitude, 16));
    }

    /// <summary>The value of a binary16; exact.</summary>
    public static float FromFloat16Bits(ushort bits)
    {
        int exponent = (bits >> 10) & 31;
        int fraction = bits & 0x3FF;
        float magnitude = exponent switch
        {
            0 => fraction * MathF.ScaleB(1, -24),
            31 => fraction == 0 ? float.PositiveInfinity : float.NaN,
            _ => MathF.ScaleB(1024 + fraction, exponent - 25),
        };
        return (bits & 0x8000) == 0 ? magnitude : -magnitude;
    }

    /// <summary>The value of a little-endian binary16 at an offset.</summary>
    public static float ReadFloat16(byte[] bytes, long offset)
    {
        ArgumentNullException.ThrowIfNull(bytes);
        return FromFloat16Bits((ushort)(bytes[offset] | (bytes[offset + 1] << 8)));
    }

    /// <summary>The value of a bfloat16; exact.</summary>
    public static float FromBFloat16Bits(ushort bits) => BitConverter.UInt32BitsToSingle((uint)bits << 16);

    /// <summary>The value that <paramref name="value"/> has once it is stored as <paramref name="dtype"/>.</summary>
    public static float Round(float value, ReferenceDType dtype) => dtype switch
    {
        ReferenceDType.F16 => FromFloat16Bits(ToFloat16Bits(value)),
        ReferenceDType.BF16 => FromBFloat16Bits(ToBFloat16Bits(value)),
        _ => value,
    };

    private static uint RoundShift(uint value, int shift)
    {
        uint half = 1u << (shift - 1);
        uint kept = value >> shift;
        uint rest = value & ((1u << shift) - 1);
        return rest > half || (rest == half && (kept & 1) != 0) ? kept + 1 : kept;
    }
}
