using System.Collections.Frozen;

namespace LoraKernels.Checkpoints;

/// <summary>The size of a tensor type, and its name in each of the file formats that have it.</summary>
/// <param name="Type">The type.</param>
/// <param name="BlockElements">Elements that are stored together.</param>
/// <param name="BlockBytes">Bytes of such a block.</param>
/// <param name="SafetensorsName">The dtype in a safetensors header, or null.</param>
/// <param name="GgmlId">The type's number in a GGUF file, or null.</param>
internal sealed record TensorLayout(
    TensorType Type, int BlockElements, int BlockBytes, string? SafetensorsName, uint? GgmlId)
{
    private static readonly TensorLayout[] All =
    [
        new(TensorType.Bool, 1, 1, "BOOL", null),
        new(TensorType.U8, 1, 1, "U8", null),
        new(TensorType.I8, 1, 1, "I8", 24),
        new(TensorType.U16, 1, 2, "U16", null),
        new(TensorType.I16, 1, 2, "I16", 25),
        new(TensorType.U32, 1, 4, "U32", null),
        new(TensorType.I32, 1, 4, "I32", 26),
        new(TensorType.U64, 1, 8, "U64", null),
        new(TensorType.I64, 1, 8, "I64", 27),
        new(TensorType.F16, 1, 2, "F16", 1),
        new(TensorType.BF16, 1, 2, "BF16", 30),
        new(TensorType.F32, 1, 4, "F32", 0),
        new(TensorType.F64, 1, 8, "F64", 28),
        new(TensorType.C64, 1, 8, "C64", null),
        new(TensorType.F8E5M2, 1, 1, "F8_E5M2", null),
        new(TensorType.F8E4M3, 1, 1, "F8_E4M3", null),
        new(TensorType.F8E8M0, 1, 1, "F8_E8M0", null),
        new(TensorType.F8E5M2Fnuz, 1, 1, "F8_E5M2FNUZ", null),
        new(TensorType.F8E4M3Fnuz, 1, 1, "F8_E4M3FNUZ", null),
        new(TensorType.F4, 2, 1, "F4", null),
        new(TensorType.F6E2M3, 4, 3, "F6_E2M3", null),
        new(TensorType.F6E3M2, 4, 3, "F6_E3M2", null),
        new(TensorType.Q4_0, 32, 18, null, 2),
        new(TensorType.Q4_1, 32, 20, null, 3),
        new(TensorType.Q5_0, 32, 22, null, 6),
        new(TensorType.Q5_1, 32, 24, null, 7),
        new(TensorType.Q8_0, 32, 34, null, 8),
        new(TensorType.Q8_1, 32, 36, null, 9),
        new(TensorType.Q2_K, 256, 84, null, 10),
        new(TensorType.Q3_K, 256, 110, null, 11),
        new(TensorType.Q4_K, 256, 144, null, 12),
        new(TensorType.Q5_K, 256, 176, null, 13),
        new(TensorType.Q6_K, 256, 210, null, 14),
        new(TensorType.Q8_K, 256, 292, null, 15),
        new(TensorType.IQ2_XXS, 256, 66, null, 16),
        new(TensorType.IQ2_XS, 256, 74, null, 17),
        new(TensorType.IQ3_XXS, 256, 98, null, 18),
        new(TensorType.IQ1_S, 256, 50, null, 19),
        new(TensorType.IQ4_NL, 32, 18, null, 20),
        new(TensorType.IQ3_S, 256, 110, null, 21),
        new(TensorType.IQ2_S, 256, 82, null, 22),
        new(TensorType.IQ4_XS, 256, 136, null, 23),
        new(TensorType.IQ1_M, 256, 56, null, 29),
        new(TensorType.TQ1_0, 256, 54, null, 34),
        new(TensorType.TQ2_0, 256, 66, null, 35),
        new(TensorType.MXFP4, 32, 17, null, 39),
        new(TensorType.NVFP4, 64, 36, null, 40),
    ];

    private static readonly FrozenDictionary<TensorType, TensorLayout> ByType = All.ToFrozenDictionary(l => l.Type);

    private static readonly FrozenDictionary<string, TensorLayout> BySafetensorsName =
        All.Where(l => l.SafetensorsName is not null).ToFrozenDictionary(l => l.SafetensorsName!);

    private static readonly FrozenDictionary<uint, TensorLayout> ByGgmlId =
        All.Where(l => l.GgmlId is not null).ToFrozenDictionary(l => l.GgmlId!.Value);

    public static TensorLayout Of(TensorType type) => ByType[type];

    public static TensorLayout? OfSafetensors(string name) => BySafetensorsName.GetValueOrDefault(name);

    public static TensorLayout? OfGgml(uint id) => ByGgmlId.GetValueOrDefault(id);

    public static string SafetensorsNames { get; } = string.Join(", ", BySafetensorsName.Keys.Order());

    /// <summary>Elements of a shape, or null when there are more than a 64-bit number holds.</summary>
    /// <param name="shape">Dimensions, none negative.</param>
    public static long? Count(ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long dimension in shape)
        {
            // Zero first: a shape may have a dimension of 0 beside ones whose product alone would overflow.
            if (dimension == 0) return 0;
        }
        foreach (long dimension in shape)
        {
            if (count > long.MaxValue / dimension) return null;
            count *= dimension;
        }
        return count;
    }

    /// <summary>Bytes of that many elements, or null when they are not whole blocks or too many to count.</summary>
    public long? Bytes(long elements)
    {
        if (elements % BlockElements != 0) return null;
        long blocks = elements / BlockElements;
        return blocks > long.MaxValue / BlockBytes ? null : blocks * BlockBytes;
    }
}
