namespace LoraKernels.Verification.Reference;

/// <summary>
/// OCP MXFP4 and NVFP4: <c>W[n, k] = E2M1(q) * scale[n, k / groupSize]</c>, two codes to a byte, even k in the low nibble.
/// </summary>
public sealed class ReferenceE2M1Weight : ReferenceWeight
{
    private readonly int _groupSize;
    private readonly byte[] _codes;
    private readonly float[] _scales;

    /// <param name="outFeatures">N.</param>
    /// <param name="inFeatures">K, a multiple of the group size.</param>
    /// <param name="groupSize">Weights per scale: 32 in MXFP4, 16 in NVFP4.</param>
    /// <param name="codes">[N, K / 2].</param>
    /// <param name="scales">[N, K / groupSize], decoded.</param>
    public ReferenceE2M1Weight(long outFeatures, long inFeatures, int groupSize, byte[] codes, float[] scales)
        : base(outFeatures, inFeatures)
    {
        ArgumentNullException.ThrowIfNull(codes);
        ArgumentNullException.ThrowIfNull(scales);
        if (inFeatures % groupSize != 0)
            throw new ArgumentException($"{inFeatures} is not a multiple of {groupSize}.", nameof(inFeatures));
        CheckLength(nameof(codes), codes.LongLength, outFeatures * inFeatures / 2);
        CheckLength(nameof(scales), scales.LongLength, outFeatures * inFeatures / groupSize);
        _groupSize = groupSize;
        _codes = codes;
        _scales = scales;
    }

    /// <summary>MXFP4's scales: <c>2^(e - 127)</c>.</summary>
    public static float[] DecodeE8M0(byte[] exponents) =>
        Array.ConvertAll(exponents, exponent => MathF.ScaleB(1, exponent - 127));

    /// <summary>NVFP4's scales: E4M3 times the tensor's scale, or over it; one rounding.</summary>
    public static float[] DecodeE4M3(byte[] scales, float tensorScale, bool divides) => Array.ConvertAll(
        scales, scale => divides ? DecodeE4M3(scale) / tensorScale : DecodeE4M3(scale) * tensorScale);

    /// <inheritdoc/>
    public override void DecodeRow(long row, Span<float> destination)
    {
        for (int k = 0; k < destination.Length; k++)
        {
            long i = row * InFeatures + k;
            byte pair = _codes[i / 2];
            destination[k] = DecodeE2M1(i % 2 == 0 ? pair & 15 : pair >> 4) * _scales[i / _groupSize];
        }
    }

    // A sign, two bits of exponent with bias 1, a bit of fraction.
    private static float DecodeE2M1(int code)
    {
        int exponent = (code >> 1) & 3;
        int fraction = code & 1;
        float magnitude = exponent == 0 ? fraction * 0.5f : MathF.ScaleB(1 + fraction * 0.5f, exponent - 1);
        return code < 8 ? magnitude : -magnitude;
    }

    // A sign, four bits of exponent with bias 7, three bits of fraction.
    private static float DecodeE4M3(byte bits)
    {
        int exponent = (bits >> 3) & 15;
        int fraction = bits & 7;
        float magnitude = exponent == 0 ? MathF.ScaleB(fraction, -9) : MathF.ScaleB(8 + fraction, exponent - 10);
        return bits < 128 ? magnitude : -magnitude;
    }
}
