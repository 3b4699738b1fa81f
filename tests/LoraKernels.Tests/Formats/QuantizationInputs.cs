namespace LoraKernels.Tests.Formats;

/// <summary>Weights to quantize: all that 16 bits can say.</summary>
internal static class QuantizationInputs
{
    public const int GroupSize = 32;

    /// <summary>The wanted ones of all 65,536 numbers, in the order of their bits, in whole groups.</summary>
    public static T[] Every16Bits<T>(Func<ushort, T> fromBits, Func<T, bool> wanted)
    {
        List<T> values = [.. Enumerable.Range(0, 65536).Select(bits => fromBits((ushort)bits)).Where(wanted)];
        while (values.Count % GroupSize != 0)
            values.Add(values[^1]);
        return [.. values];
    }

    /// <summary>The same values in groups that all begin with one.</summary>
    public static T[] WithLeader<T>(T[] values, T leader)
    {
        var groups = new List<T>();
        foreach (T[] chunk in values.Chunk(GroupSize - 1))
        {
            groups.Add(leader);
            groups.AddRange(chunk);
            groups.AddRange(Enumerable.Repeat(leader, GroupSize - 1 - chunk.Length));
        }

        return [.. groups];
    }
}
