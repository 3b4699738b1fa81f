using System.Text;
using LoraKernels.Checkpoints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Tiny folders of every kind of quantized checkpoint, named and shaped as its quantizer does it.</summary>
internal static class KindFiles
{
    public const string Layer = "model.layers.0.self_attn.q_proj";

    /// <summary>A tensor of that kind of layer, with bytes that differ from those of any other tensor.</summary>
    public static SafetensorsEntry Entry(string ending, TensorType type, params long[] shape) =>
        new(Layer + ending, type, shape, Bytes(ending, type, shape));

    public static byte[] Bytes(string ending, TensorType type, params long[] shape)
    {
        int size = type switch
        {
            TensorType.F32 or TensorType.I32 => 4,
            TensorType.F16 or TensorType.BF16 => 2,
            TensorType.I64 => 8,
            _ => 1,
        };
        byte[] bytes = new byte[shape.Aggregate(size, (n, d) => (int)(n * d))];
        new Random(ending.Length * 1000 + ending.Sum(c => c)).NextBytes(bytes);
        return bytes;
    }

    public static SafetensorsEntry Numbers(string ending, TensorType type, long[] shape, params long[] values) =>
        new(Layer + ending, type, shape, values.SelectMany(v => type switch
        {
            TensorType.I64 => BitConverter.GetBytes(v),
            TensorType.I32 => BitConverter.GetBytes((int)v),
            _ => [(byte)v],
        }).ToArray());

    public static SafetensorsEntry Scale(string ending, float value, params long[] shape) =>
        new(Layer + ending, TensorType.F32, shape, BitConverter.GetBytes(value));

    public static SafetensorsEntry Text(string ending, string text) =>
        new(Layer + ending, TensorType.U8, [text.Length], Encoding.ASCII.GetBytes(text));

    /// <summary>[16, 64] in groups of 32.</summary>
    public static List<SafetensorsEntry> Gptq() =>
    [
        Entry(".qweight", TensorType.I32, 8, 16), Entry(".qzeros", TensorType.I32, 2, 2),
        Entry(".scales", TensorType.F16, 2, 16),
        Numbers(".g_idx", TensorType.I32, [64], [.. Enumerable.Range(0, 64).Select(k => (long)(k % 2))]),
    ];

    /// <summary>[16, 64] in groups of 32.</summary>
    public static List<SafetensorsEntry> Awq() =>
    [
        Entry(".qweight", TensorType.I32, 64, 2), Entry(".qzeros", TensorType.I32, 2, 2),
        Entry(".scales", TensorType.F16, 2, 16),
    ];

    /// <summary>[12, 60] in one group a row: neither is a multiple of 8.</summary>
    public static List<SafetensorsEntry> PackQuantized() =>
    [
        Entry(".weight_packed", TensorType.I32, 12, 8), Entry(".weight_scale", TensorType.BF16, 12, 1),
        Entry(".weight_zero_point", TensorType.I32, 2, 1), Numbers(".weight_shape", TensorType.I64, [2], 12, 60),
    ];

    /// <summary>[4, 64].</summary>
    public static List<SafetensorsEntry> CompressedNvfp4() =>
    [
        Entry(".weight_packed", TensorType.U8, 4, 32), Entry(".weight_scale", TensorType.F8E4M3, 4, 4),
        Scale(".weight_global_scale", 96, 1), Scale(".input_global_scale", 2, 1),
    ];

    /// <summary>[4, 64].</summary>
    public static List<SafetensorsEntry> CompressedMxfp4() =>
        [Entry(".weight_packed", TensorType.U8, 4, 32), Entry(".weight_scale", TensorType.U8, 4, 2)];

    /// <summary>[4, 64].</summary>
    public static List<SafetensorsEntry> ModelOpt() =>
    [
        Entry(".weight", TensorType.U8, 4, 32), Entry(".weight_scale", TensorType.F8E4M3, 4, 4),
        Scale(".weight_scale_2", 0.125f), Scale(".input_scale", 2),
    ];

    /// <summary>[6, 64] in groups of 16.</summary>
    public static List<SafetensorsEntry> Hqq() =>
    [
        Entry(".W_q", TensorType.U8, 12, 16), Entry(".scale", TensorType.F16, 24, 1),
        Entry(".zero", TensorType.F16, 24, 1), Numbers(".shape", TensorType.I64, [2], 6, 64),
        Numbers(".group_size", TensorType.I32, [], 16), Numbers(".nbits", TensorType.I32, [], 4),
        Numbers(".axis", TensorType.I32, [], 1), Numbers(".view_as_float", TensorType.U8, [], 0),
        Numbers(".quant_scale", TensorType.U8, [], 0), Numbers(".quant_zero", TensorType.U8, [], 0),
        Text(".packing", "4bit_u8"), Text(".compute_dtype", "torch.float16"),
    ];

    /// <summary>Two experts [3, 64].</summary>
    public static List<SafetensorsEntry> GptOss() =>
        [Entry("_blocks", TensorType.U8, 2, 3, 2, 16), Entry("_scales", TensorType.U8, 2, 3, 2)];

    /// <summary>Replaces the entry of the same name, or adds it.</summary>
    public static List<SafetensorsEntry> Replace(this List<SafetensorsEntry> entries, SafetensorsEntry entry) =>
        [.. entries.Where(e => e.Name != entry.Name), entry];

    public static List<SafetensorsEntry> Omit(this List<SafetensorsEntry> entries, string ending) =>
        [.. entries.Where(e => e.Name != Layer + ending)];
}
