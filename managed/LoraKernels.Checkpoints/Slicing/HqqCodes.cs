namespace LoraKernels.Checkpoints;

/// <summary>HQQ's codes, whose two halves share bytes, one code a byte and back.</summary>
internal static class HqqCodes
{
    /// <summary>A byte for each code, row by row.</summary>
    public static byte[] Spread(ReadOnlySpan<byte> codes)
    {
        byte[] spread = new byte[checked(codes.Length * 2)];
        for (int i = 0; i < codes.Length; i++)
        {
            spread[i] = (byte)(codes[i] >> 4);
            spread[codes.Length + i] = (byte)(codes[i] & 15);
        }
        return spread;
    }

    /// <summary>The other way round, of an even number of codes.</summary>
    public static byte[] Gather(ReadOnlySpan<byte> spread)
    {
        byte[] codes = new byte[spread.Length / 2];
        for (int i = 0; i < codes.Length; i++) codes[i] = (byte)(spread[i] << 4 | spread[codes.Length + i]);
        return codes;
    }
}
