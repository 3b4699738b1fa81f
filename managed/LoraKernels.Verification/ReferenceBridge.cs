using System.Runtime.InteropServices;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Verification;

/// <summary>From the library's host types to the reference's plain arrays.</summary>
public static class ReferenceBridge
{
    /// <summary>A checkpoint's tensors as the reference reads them.</summary>
    /// <exception cref="ArgumentException">A size that does not fit the shape.</exception>
    public static ReferenceWeight Weight(WeightTensors tensors)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        byte[] codes = tensors.Codes.ToArray();
        if (tensors.Format == WeightFormat.GgufQ4_0)
            return new ReferenceGgufWeight(tensors.OutFeatures, tensors.InFeatures, codes);

        float[] absmax = tensors.OuterTable.IsEmpty
            ? Floats(tensors.Scales)
            : ReferenceNf4Weight.DecodeNestedAbsmax(
                tensors.Scales.ToArray(), Floats(tensors.OuterTable), Floats(tensors.OuterScales),
                tensors.OuterOffset, tensors.OuterGroupSize);
        float[]? map = tensors.Table.IsEmpty ? null : Floats(tensors.Table);
        return new ReferenceNf4Weight(
            tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, codes, absmax, map);
    }

    /// <summary>What an adapter has for a module, slices ascending.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="module">A plain module, or a fused one whose slices the adapter names.</param>
    public static IReadOnlyList<ReferenceFactors> Factors(LoraAdapter adapter, LoraModule module)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(module);
        IEnumerable<OutputSlice> slices = module.Slices.Count == 0
            ? [new OutputSlice(module.Name, 0, module.OutFeatures)]
            : module.Slices;
        var found = new List<ReferenceFactors>();
        foreach (OutputSlice slice in slices)
        {
            foreach (LoraFactors factors in adapter.Factors)
            {
                if (factors.Module != slice.Name)
                    continue;
                found.Add(new ReferenceFactors(
                    (int)slice.Offset, (int)slice.Size, (int)factors.Rank, Values(factors.A), Values(factors.B),
                    factors.Scale));
            }
        }

        return found;
    }

    /// <summary>A host matrix, row-major.</summary>
    public static float[] Values(HostMatrix matrix)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        return matrix.DType switch
        {
            DType.Float32 => Floats(matrix.Data),
            DType.Float16 => Array.ConvertAll(Words(matrix.Data), ReferenceRounding.FromFloat16Bits),
            _ => Array.ConvertAll(Words(matrix.Data), ReferenceRounding.FromBFloat16Bits),
        };
    }

    private static float[] Floats(ReadOnlyMemory<byte> bytes) => MemoryMarshal.Cast<byte, float>(bytes.Span).ToArray();

    private static ushort[] Words(ReadOnlyMemory<byte> bytes) => MemoryMarshal.Cast<byte, ushort>(bytes.Span).ToArray();
}
