namespace LoraKernels.Checkpoints;

/// <summary>HQQ's codes, whose two halves share bytes, one code a byte and back.</summary>
internal static class HqqCodes
{
    /// <summary>A byte for each code, row by row.</summary>
    public static byte[] Spread(ReadOnlySpan<byte> codes)
    {
        byte[] spread = new byte[checked(codes.Length * 2)];
        Split(codes, spread.AsSpan(0, codes.Length), spread.AsSpan(codes.Length));
        return spread;
    }

    /// <summary>A byte for each of some codes; reads the bytes that hold them, and no byte twice.</summary>
    /// <param name="codes">All bytes of the weight.</param>
    /// <param name="runs">Runs of codes, as if each had a byte: some rows, or some columns of all rows.</param>
    public static byte[] Spread(ReadOnlyMemory<byte> codes, ByteRuns runs)
    {
        int half = codes.Length;
        byte[] spread = new byte[runs.Bytes];
        if (runs.Count == 1)
        {
            (int first, int end) = ((int)runs.First, (int)(runs.First + runs.Size));
            (int highEnd, int lowFirst) = (Math.Min(end, half), Math.Max(first, half));
            int high = Math.Max(0, highEnd - first), low = Math.Max(0, end - lowFirst);
            // More than half of the rows: some bytes hold codes for both ends.
            bool shared = high > 0 && low > first;
            var all = shared ? new ByteRuns(0, half).Of(codes) : default;
            if (high > 0) Split((shared ? all[first..] : new ByteRuns(first, high).Of(codes)).Span, spread.AsSpan(0, high), []);
            if (low > 0) Split((shared ? all : new ByteRuns(lowFirst - half, low).Of(codes)).Span, [], spread.AsSpan(high));
            return spread;
        }
        if (half % runs.Stride == 0)
        {
            // Rows half the weight apart have their columns in the same bytes.
            var shared = (runs with { Count = runs.Count / 2 }).Of(codes);
            Split(shared.Span, spread.AsSpan(0, shared.Length), spread.AsSpan(shared.Length));
            return spread;
        }
        return runs.Of(Spread(codes.Span)).ToArray();
    }

    /// <summary>The other way round, of an even number of codes.</summary>
    public static byte[] Gather(ReadOnlySpan<byte> spread)
    {
        byte[] codes = new byte[spread.Length / 2];
        for (int i = 0; i < codes.Length; i++) codes[i] = (byte)(spread[i] << 4 | spread[codes.Length + i]);
        return codes;
    }

    private static void Split(ReadOnlySpan<byte> codes, Span<byte> high, Span<byte> low)
    {
        for (int i = 0; i < high.Length; i++) high[i] = (byte)(codes[i] >> 4);
        for (int i = 0; i < low.Length; i++) low[i] = (byte)(codes[i] & 15);
    }
}
