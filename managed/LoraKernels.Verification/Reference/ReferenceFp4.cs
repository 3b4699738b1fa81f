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
}
