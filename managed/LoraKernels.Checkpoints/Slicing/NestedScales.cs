using System.Runtime.InteropServices;

namespace LoraKernels.Checkpoints;

/// <summary>bitsandbytes' nested absmax as plain ones: the same numbers, by the same fp32 operations.</summary>
/// <remarks>
/// Outer groups run over a weight's groups whatever its rows are, and each weight has an offset of its own, so that nested
/// scales cannot be cut or put together as they are. Plain ones take three bytes more a group: 9 % at groups of 64.
/// </remarks>
internal static class NestedScales
{
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
