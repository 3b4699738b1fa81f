using System.Text;
using LoraKernels.Checkpoints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>bitsandbytes NF4 checkpoints entry by entry, as bitsandbytes names and shapes them.</summary>
internal static class Nf4Files
{
    public const string Name = "model.layers.0.self_attn.q_proj";

    public const string PlainState =
        """{"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [6, 48]}""";

    public const string NestedState = """
        {"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [6, 48],
        "nested_blocksize": 4, "nested_dtype": "float32", "nested_offset": 0.03125}
        """;

    /// <summary>[6, 48]: 288 weights, 144 bytes of codes, 5 groups.</summary>
    public static List<SafetensorsEntry> Plain(string state = PlainState) =>
    [
        Entry("weight", TensorType.U8, 144, 1), Entry("weight.absmax", TensorType.F32, 5),
        Entry("weight.quant_map", TensorType.F32, 16), State(state),
    ];

    /// <summary>The same with 5 absmax bytes in outer groups of 4.</summary>
    public static List<SafetensorsEntry> Nested(string state = NestedState) =>
    [
        Entry("weight", TensorType.U8, 1, 144), Entry("weight.absmax", TensorType.U8, 5),
        Entry("weight.quant_map", TensorType.F32, 16), Entry("weight.nested_absmax", TensorType.F32, 2),
        Entry("weight.nested_quant_map", TensorType.F32, 256), State(state),
    ];

    public static SafetensorsEntry State(string json, TensorType type = TensorType.U8)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(json);
        return new($"{Name}.weight.quant_state.bitsandbytes__nf4", type, [bytes.Length], bytes);
    }

    public static SafetensorsEntry Entry(string part, TensorType type, params long[] shape)
    {
        long count = shape.Aggregate(1L, (n, d) => n * d);
        int size = type is TensorType.F32 ? 4 : type is TensorType.BF16 or TensorType.F16 ? 2 : 1;
        return new($"{Name}.{part}", type, shape, SafetensorsBytes.Data((int)count * size));
    }

    /// <summary>Replaces the entry of the same name, or adds it.</summary>
    public static List<SafetensorsEntry> With(this List<SafetensorsEntry> entries, SafetensorsEntry entry) =>
        [.. entries.Where(e => e.Name != entry.Name), entry];

    public static List<SafetensorsEntry> Without(this List<SafetensorsEntry> entries, string part) =>
        [.. entries.Where(e => e.Name != $"{Name}.{part}")];
}
