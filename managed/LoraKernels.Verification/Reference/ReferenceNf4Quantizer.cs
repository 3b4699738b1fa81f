namespace LoraKernels.Verification.Reference;

/// <summary>
/// Quantization to NF4 by bitsandbytes' rule: per group of the flat index the largest magnitude, each weight times the
/// fp32 reciprocal of it, then the code whose interval it falls into.
/// </summary>
public static class ReferenceNf4Quantizer
{
    private const int CodeOfZero = 7;

    // The borders between neighbouring codes, as bitsandbytes writes them; a value on a border takes the lower code.
    private static readonly float[] Borders =
    [
        -0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f, -0.33967943489551544f,
        -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f,
        0.1202552504837513f, 0.2035212516784668f, 0.2920137718319893f, 0.3893125355243683f,
        0.5016634166240692f, 0.6427869200706482f, 0.8614784178118011f,
    ];

    /// <summary>Quantizes a flat weight.</summary>
    /// <param name="weights">[N * K], finite.</param>
    /// <param name="groupSize">Weights per absmax.</param>
    /// <returns>Codes [ceil(N * K / 2)], an odd count padded with the code of zero, and absmax per group.</returns>
    public static (byte[] Codes, float[] Absmax) Quantize(ReadOnlySpan<float> weights, int groupSize) =>
        Quantize(weights, groupSize, Code);

    /// <summary>The same with another rule for codes: code(weight, absmax).</summary>
    internal static (byte[] Codes, float[] Absmax) Quantize(
        ReadOnlySpan<float> weights, int groupSize, Func<float, float, int> code)
    {
        ArgumentNullException.ThrowIfNull(code);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        var codes = new byte[(weights.Length + 1) / 2];
        var absmax = new float[ReferenceNf4Weight.GroupCount(weights.Length, groupSize)];
        for (int i = 0; i < weights.Length; i++)
            absmax[i / groupSize] = MathF.Max(absmax[i / groupSize], MathF.Abs(weights[i]));

        for (int i = 0; i < codes.Length * 2; i++)
        {
            int next = i < weights.Length ? code(weights[i], absmax[i / groupSize]) : code(0, 1);
            codes[i / 2] |= (byte)(i % 2 == 0 ? next << 4 : next);
        }

        return (codes, absmax);
    }

    /// <summary>The code of one weight in a group with the given absmax.</summary>
    /// <remarks>
    /// A weight of zero has the code of zero also where the reciprocal is infinite: absmax 0, or below 2^-128.
    /// </remarks>
    public static int Code(float weight, float absmax)
    {
        if (weight == 0)
            return CodeOfZero;
        float reciprocal = 1.0f / absmax;
        float scaled = weight * reciprocal;
        int code = 0;
        foreach (float border in Borders)
        {
            if (scaled > border)
                code++;
        }

        return code;
    }

    /// <summary>Double quantization of absmax: what is left after the mean, 8 bits of a dynamic map.</summary>
    /// <param name="absmax">[groups].</param>
    /// <param name="map">[256], ascending.</param>
    /// <param name="groupSize">Groups per outer scale; bitsandbytes has 256.</param>
    /// <returns>Codes [groups], outer scales [ceil(groups / groupSize)], and the mean.</returns>
    public static (byte[] Codes, float[] Scales, float Offset) QuantizeAbsmax(
        ReadOnlySpan<float> absmax, ReadOnlySpan<float> map, int groupSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(groupSize);
        double sum = 0;
        foreach (float value in absmax)
            sum += value;
        float offset = absmax.IsEmpty ? 0 : (float)(sum / absmax.Length);

        var scales = new float[ReferenceNf4Weight.GroupCount(absmax.Length, groupSize)];
        for (int i = 0; i < absmax.Length; i++)
            scales[i / groupSize] = MathF.Max(scales[i / groupSize], MathF.Abs(absmax[i] - offset));

        var codes = new byte[absmax.Length];
        for (int i = 0; i < absmax.Length; i++)
        {
            float scale = scales[i / groupSize];
            float reciprocal = 1.0f / scale;
            float scaled = scale == 0 ? 0 : (absmax[i] - offset) * reciprocal;
            codes[i] = (byte)ReferenceDynamicMap.Nearest(map, scaled);
        }

        return (codes, scales, offset);
    }
}
