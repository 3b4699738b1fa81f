using System.Buffers.Binary;

namespace LoraKernels.Checkpoints;

/// <summary>Writes NF4 weights as bitsandbytes does, as entries of a safetensors file.</summary>
public static class BitsAndBytesWriter
{
    /// <summary>The NF4 levels as bitsandbytes writes them, as bits of floats.</summary>
    private static readonly uint[] Levels =
    [
        0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0, 0xbe91a24d, 0xbe3d353f, 0xbdba7871, 0x00000000,
        0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a, 0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000,
    ];

    /// <summary>The entries of one weight: codes, absmax, maps and quant state.</summary>
    /// <param name="name">The layer's name, without <c>.weight</c>.</param>
    /// <param name="tensors">An NF4 weight; an empty table stands for the standard levels.</param>
    /// <param name="quantizedFrom">The number format that bitsandbytes will compute in; the weight's own before.</param>
    /// <exception cref="ArgumentException">Another format, or sizes that do not fit the shape.</exception>
    public static IReadOnlyList<SafetensorsEntry> Entries(
        string name, WeightTensors tensors, DType quantizedFrom = DType.BFloat16)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(tensors);
        if (tensors.Format != WeightFormat.BitsAndBytesNf4
            || BitsAndBytesWeights.QuantTypeOf(tensors.Format) is not { } quantType)
        {
            throw new ArgumentException(
                $"{name} is {tensors.Format}; bitsandbytes files hold {WeightFormat.BitsAndBytesNf4}", nameof(tensors));
        }
        long count = checked(tensors.OutFeatures * tensors.InFeatures);
        long scales = (count + tensors.GroupSize - 1) / tensors.GroupSize;
        bool nested = tensors.OuterGroupSize > 0;
        var state = new QuantState(tensors.OutFeatures, tensors.InFeatures, tensors.GroupSize, quantizedFrom,
            tensors.OuterGroupSize, tensors.OuterOffset);
        byte[] json = state.ToJson(quantType);
        List<SafetensorsEntry> entries =
        [
            new(name + BitsAndBytesWeights.Weight, TensorType.U8, [(count + 1) / 2, 1], tensors.Codes),
            new(name + BitsAndBytesWeights.AbsMax, nested ? TensorType.U8 : TensorType.F32, [scales], tensors.Scales),
            new(name + BitsAndBytesWeights.QuantMap, TensorType.F32, [BitsAndBytesWeights.TableSize],
                tensors.Table.IsEmpty ? StandardTable() : tensors.Table),
            new(name + BitsAndBytesWeights.State + quantType, TensorType.U8, [json.Length], json),
        ];
        if (nested)
        {
            long outer = (scales + tensors.OuterGroupSize - 1) / tensors.OuterGroupSize;
            entries.Add(new(name + BitsAndBytesWeights.NestedAbsMax, TensorType.F32, [outer], tensors.OuterScales));
            entries.Add(new(name + BitsAndBytesWeights.NestedQuantMap, TensorType.F32,
                [BitsAndBytesWeights.NestedTableSize], tensors.OuterTable));
        }
        return entries;
    }

    private static byte[] StandardTable()
    {
        byte[] table = new byte[Levels.Length * sizeof(uint)];
        for (int i = 0; i < Levels.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(i * sizeof(uint)), Levels[i]);
        return table;
    }
}
