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
/// become plain, which takes three bytes more a group, 9 % at groups of 64. Folding a difference of offsets into outer scales or
/// a map is not exact, since absmax is rounded after the product and after the sum; and an offset for each outer group, which would be,
/// is nothing that a packed weight has: every kernel that decodes absmax, on the CPU and on CUDA, adds one for the whole weight.
/// </remarks>
internal static class NestedScales
{
    // One outer scale for each scale would take more than plain ones.
    private const long SmallestGroup = 2;

    /// <summary>The outer scales of some runs of a weight's groups; null where they are better plain.</summary>
    /// <param name="weight">With nested absmax.</param>
    /// <param name="groups">Runs of groups, each of which has a byte.</param>
    public static OuterScales? Cut(WeightTensors weight, ByteRuns groups)
    {
        long size = GreatestCommonDivisor(weight.OuterGroupSize, groups.First);
        if (groups.Count > 1) size = GreatestCommonDivisor(GreatestCommonDivisor(size, groups.Size), groups.Stride);
        if (size < SmallestGroup) return null;
        var outer = MemoryMarshal.Cast<byte, float>(weight.OuterScales.Span);
        float[] scales = new float[(groups.Bytes + size - 1) / size];
        for (int i = 0; i < scales.Length; i++) scales[i] = outer[(int)(Group(groups, i * size) / weight.OuterGroupSize)];
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
        var parts = weights.Select(w => Cut(w, new ByteRuns(0, w.Scales.Length))!).Select((cut, i) =>
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
        return new WeightTensors
        {
            Format = weight.Format,
            OutFeatures = weight.OutFeatures,
            InFeatures = weight.InFeatures,
            GroupSize = weight.GroupSize,
            Codes = weight.Codes,
            Scales = Expand(weight, weight.Scales.Span, new ByteRuns(0, weight.Scales.Length)),
            Table = weight.Table,
        };
    }

    /// <summary>The plain absmax of some runs of a weight's groups.</summary>
    /// <param name="weight">With nested absmax.</param>
    /// <param name="codes">Those of the runs.</param>
    /// <param name="groups">Where they are in the weight.</param>
    public static byte[] Expand(WeightTensors weight, ReadOnlySpan<byte> codes, ByteRuns groups)
    {
        var table = MemoryMarshal.Cast<byte, float>(weight.OuterTable.Span);
        var outerScales = MemoryMarshal.Cast<byte, float>(weight.OuterScales.Span);
        float[] absmax = new float[codes.Length];
        for (int i = 0; i < absmax.Length; i++)
        {
            float product = table[codes[i]] * outerScales[(int)(Group(groups, i) / weight.OuterGroupSize)];
            absmax[i] = product + weight.OuterOffset;
        }
        return MemoryMarshal.AsBytes<float>(absmax).ToArray();
    }

    /// <summary>The group of the weight that is number <paramref name="index"/> of some runs.</summary>
    private static long Group(ByteRuns groups, long index) =>
        groups.First + index / groups.Size * groups.Stride + index % groups.Size;
}
