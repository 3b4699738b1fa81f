using System.Runtime.InteropServices;

namespace LoraKernels.Checkpoints;

/// <summary>The outer scales of a part or of several weights together.</summary>
/// <param name="GroupSize">Scales that share an outer scale.</param>
/// <param name="Scales">Floats.</param>
internal sealed record OuterScales(long GroupSize, byte[] Scales);

/// <summary>bitsandbytes' nested absmax of slices and of weights that are put together: the same numbers, bit for bit.</summary>
/// <remarks>
/// Outer groups run over a weight's groups whatever its rows are. Cut elsewhere they stay what they are in smaller outer
/// groups of one size, whose outer scales repeat. Weights with offsets or maps of their own have no common nested absmax: they
/// become plain, which takes three bytes more a group, 9 % at groups of 64.
/// </remarks>
internal static class NestedScales
{
    // One outer scale for each scale would take more than plain ones.
    private const long SmallestGroup = 2;

    /// <summary>The outer scales of some runs of a weight's groups; null where they are better plain.</summary>
    /// <param name="weight">With nested absmax.</param>
    /// <param name="first">The first run's first group.</param>
    /// <param name="count">Groups of a run.</param>
    /// <param name="runs">How many runs.</param>
    /// <param name="stride">Groups from the beginning of one run to the next one's.</param>
    public static OuterScales? Cut(WeightTensors weight, long first, long count, long runs, long stride)
    {
        long size = GreatestCommonDivisor(weight.OuterGroupSize, first);
        if (runs > 1) size = GreatestCommonDivisor(GreatestCommonDivisor(size, count), stride);
        if (size < SmallestGroup) return null;
        var outer = MemoryMarshal.Cast<byte, float>(weight.OuterScales.Span);
        float[] scales = new float[(count * runs + size - 1) / size];
        for (int i = 0; i < scales.Length; i++)
        {
            long group = first + i * size / count * stride + i * size % count;
            scales[i] = outer[(int)(group / weight.OuterGroupSize)];
        }
        return new OuterScales(size, MemoryMarshal.AsBytes<float>(scales).ToArray());
    }

    /// <summary>The outer scales of weights below each other; null where they have none in common.</summary>
    public static OuterScales? Stack(IReadOnlyList<WeightTensors> weights)
    {
        var first = weights[0];
        if (!weights.All(w => w.OuterGroupSize > 0 && w.OuterOffset.Equals(first.OuterOffset)
            && w.OuterTable.Span.SequenceEqual(first.OuterTable.Span)))
        {
            return null;
        }
        long size = weights.Select(w => w.OuterGroupSize)
            .Concat(weights.SkipLast(1).Select(w => (long)w.Scales.Length)).Aggregate(GreatestCommonDivisor);
        if (size < SmallestGroup) return null;
        var parts = weights.Select(w => Cut(w, 0, w.Scales.Length, 1, 0)!).Select((cut, i) =>
            Repeat(cut, size, weights[i].Scales.Length));
        return new OuterScales(size, [.. parts.SelectMany(p => p)]);
    }

    private static byte[] Repeat(OuterScales outer, long size, long groups)
    {
        var scales = MemoryMarshal.Cast<byte, float>(outer.Scales);
        float[] repeated = new float[(groups + size - 1) / size];
        for (int i = 0; i < repeated.Length; i++) repeated[i] = scales[(int)(i * size / outer.GroupSize)];
        return MemoryMarshal.AsBytes<float>(repeated).ToArray();
    }

    private static long GreatestCommonDivisor(long a, long b)
    {
        while (b != 0) (a, b) = (b, a % b);
        return a;
    }

    /// <summary>The weight with plain absmax; itself where they are plain already.</summary>
    public static WeightTensors Expand(WeightTensors weight)
    {
        if (weight.OuterGroupSize == 0) return weight;
        var codes = weight.Scales.Span;
        var table = MemoryMarshal.Cast<byte, float>(weight.OuterTable.Span);
        var outerScales = MemoryMarshal.Cast<byte, float>(weight.OuterScales.Span);
        float[] absmax = new float[codes.Length];
        for (int i = 0; i < absmax.Length; i++)
        {
            float product = table[codes[i]] * outerScales[(int)(i / weight.OuterGroupSize)];
            absmax[i] = product + weight.OuterOffset;
        }
        return new WeightTensors
        {
            Format = weight.Format,
            OutFeatures = weight.OutFeatures,
            InFeatures = weight.InFeatures,
            GroupSize = weight.GroupSize,
            Codes = weight.Codes,
            Scales = MemoryMarshal.AsBytes<float>(absmax).ToArray(),
            Table = weight.Table,
        };
    }
}
