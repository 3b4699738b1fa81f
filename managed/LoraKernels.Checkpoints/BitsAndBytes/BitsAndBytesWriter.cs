using System.Buffers.Binary;

namespace LoraKernels.Checkpoints;

/// <summary>Writes NF4 and FP4 weights as bitsandbytes does, as entries of a safetensors file.</summary>
public static class BitsAndBytesWriter
{
    /// <summary>The NF4 levels as bitsandbytes writes them, as bits of floats.</summary>
    private static readonly uint[] Nf4Levels =
    [
        0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0, 0xbe91a24d, 0xbe3d353f, 0xbdba7871, 0x00000000,
        0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a, 0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000,
    ];

    /// <summary>The FP4 levels as bitsandbytes writes them, as bits of floats.</summary>
    private static readonly uint[] Fp4Levels =
    [
        0x00000000, 0x3baaaaab, 0x3f2aaaab, 0x3f800000, 0x3eaaaaab, 0x3f000000, 0x3e2aaaab, 0x3e800000,
        0x80000000, 0xbbaaaaab, 0xbf2aaaab, 0xbf800000, 0xbeaaaaab, 0xbf000000, 0xbe2aaaab, 0xbe800000,
    ];

    /// <summary>The entries of one weight: codes, absmax, maps and quant state.</summary>
    /// <param name="name">The layer's name, without <c>.weight</c>.</param>
    /// <param name="tensors">An NF4 or FP4 weight; an empty table stands for the format's own levels.</param>
    /// <param name="quantizedFrom">The number format that bitsandbytes will compute in; the weight's own before.</param>
    /// <exception cref="ArgumentException">Another format, or sizes that do not fit the shape.</exception>
    public static IReadOnlyList<SafetensorsEntry> Entries(
        string name, WeightTensors tensors, DType quantizedFrom = DType.BFloat16)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(tensors);
        if (BitsAndBytesWeights.QuantTypeOf(tensors.Format) is null)
        {
            throw new ArgumentException($"{name} is {tensors.Format}; bitsandbytes files hold "
                + $"{WeightFormat.BitsAndBytesNf4} and {WeightFormat.BitsAndBytesFp4}", nameof(tensors));
        }
        var state = new QuantState(tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, quantizedFrom,
            tensors.OuterGroupSize, tensors.OuterOffset);
        string quantType = BitsAndBytesWeights.QuantTypeOf(tensors.Format)!;
        ReadOnlyMemory<byte>[] data =
        [
            tensors.Codes, tensors.Scales, tensors.Table.IsEmpty ? StandardTable(tensors.Format) : tensors.Table,
            state.ToJson(quantType), tensors.OuterScales, tensors.OuterTable,
        ];
        return [.. Tensors(quantType, tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, tensors.OuterGroupSize)
            .Select((t, i) => new SafetensorsEntry(name + t.Ending, t.Type, t.Shape, data[i]))];
    }

    /// <summary>What a weight consists of; the last two only where absmax is nested.</summary>
    internal static IEnumerable<(string Ending, TensorType Type, long[] Shape)> Tensors(
        string quantType, long outFeatures, long inFeatures, long groupSize, long outerGroupSize)
    {
        long count = checked(outFeatures * inFeatures);
        long scales = (count + groupSize - 1) / groupSize;
        bool nested = outerGroupSize > 0;
        yield return (BitsAndBytesWeights.Weight, TensorType.U8, [(count + 1) / 2, 1]);
        yield return (BitsAndBytesWeights.AbsMax, nested ? TensorType.U8 : TensorType.F32, [scales]);
        yield return (BitsAndBytesWeights.QuantMap, TensorType.F32, [BitsAndBytesWeights.TableSize]);
        yield return (BitsAndBytesWeights.State + quantType, TensorType.U8, [QuantState.JsonBytes]);
        if (!nested) yield break;
        yield return (BitsAndBytesWeights.NestedAbsMax, TensorType.F32, [(scales + outerGroupSize - 1) / outerGroupSize]);
        yield return (BitsAndBytesWeights.NestedQuantMap, TensorType.F32, [BitsAndBytesWeights.NestedTableSize]);
    }

    private static byte[] StandardTable(WeightFormat format)
    {
        uint[] levels = format == WeightFormat.BitsAndBytesNf4 ? Nf4Levels : Fp4Levels;
        byte[] table = new byte[levels.Length * sizeof(uint)];
        for (int i = 0; i < levels.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(i * sizeof(uint)), levels[i]);
        return table;
    }
}
