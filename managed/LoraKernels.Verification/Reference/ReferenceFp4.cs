namespace LoraKernels.Verification.Reference;

/// <summary>bitsandbytes FP4's levels; all else of the format is as in NF4.</summary>
public static class ReferenceFp4
{
    private static readonly uint[] MagnitudeBits =
        [0x00000000, 0x3BAAAAAB, 0x3F2AAAAB, 0x3F800000, 0x3EAAAAAB, 0x3F000000, 0x3E2AAAAB, 0x3E800000];

    /// <summary>The values of codes 0 ... 15; 8 ... 15 are the negatives of 0 ... 7.</summary>
    public static float[] StandardMap()
    {
        float[] positive = Array.ConvertAll(MagnitudeBits, BitConverter.UInt32BitsToSingle);
        return [.. positive, .. positive.Select(value => -value)];
    }

    /// <summary>Quantizes a flat weight, as <see cref="ReferenceNf4Quantizer"/> does for NF4.</summary>
    public static (byte[] Codes, float[] Absmax) Quantize(ReadOnlySpan<float> weights, int groupSize) =>
        ReferenceNf4Quantizer.Quantize(weights, groupSize, Code);

    /// <summary>The code of one weight in a group with the given absmax: bitsandbytes' tree of comparisons.</summary>
    /// <remarks>
    /// A weight of zero has the code of zero also where the reciprocal is infinite: absmax 0, or below 2^-128.
    /// </remarks>
    public static int Code(float weight, float absmax)
    {
        if (weight == 0)
            return 0;
        float scaled = weight * (1.0f / absmax);
        float magnitude = MathF.Abs(scaled);
        int code;
        if (magnitude > 0.29166667f)
        {
            code = magnitude > 0.583333f
                ? (magnitude > 0.8333333f ? 0b011 : 0b010)
                : (magnitude > 0.4166667f ? 0b101 : 0b100);
        }
        else
        {
            code = magnitude > 0.0859375f
                ? (magnitude > 0.20833333f ? 0b111 : 0b110)
                : (magnitude > 0.00260417f ? 0b001 : 0b000);
        }

        return scaled < 0 ? code | 0b1000 : code;
    }
}
