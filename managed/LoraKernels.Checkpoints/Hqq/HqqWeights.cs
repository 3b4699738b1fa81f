using System.Buffers.Binary;
using System.Text;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds HQQ weights with groups along k: <c>NAME.W_q</c> with two codes to a byte, <c>NAME.scale</c> and <c>NAME.zero</c>
/// [N · K / g, 1], and what HQQ knows of the layer as tensors: <c>shape</c>, <c>group_size</c>, <c>nbits</c>, <c>axis</c>,
/// <c>packing</c>.
/// </summary>
internal sealed class HqqWeights : IWeightReader
{
    private const string Codes = ".W_q";
    private const string Parameters = "quant_config.weight_quant_params.";
    private const string FourBits = "4bit_u8";
    private const int MaxPackingBytes = 64;

    /// <summary>What describes a layer and is no part of its weight.</summary>
    private static readonly string[] Descriptions =
    [
        ".shape", ".group_size", ".nbits", ".axis", ".packing", ".view_as_float", ".unpack_view_dtype", ".compute_dtype",
        ".quant_scale", ".quant_zero", ".channel_wise", ".optimize", ".round_zero", ".stores_quant_config", ".offload_meta",
        ".encoded_state_dict",
    ];

    public string Reads => "HQQ (axis 1)";

    public IReadOnlyList<string> Methods => ["hqq"];

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config)
    {
        var settings = Methods.Contains(config?.Method, StringComparer.OrdinalIgnoreCase) ? config : null;
        foreach (var layer in LayerTensors.Of(source, Codes)) yield return Check(layer, settings);
    }

    private static WeightEntry Check(LayerTensors layer, QuantizationConfig? config)
    {
        RequireNumber(layer, config, "nbits", 4, "weights of 4 bits can be read");
        RequireNumber(layer, config, "axis", 1, "groups along k (axis 1) can be read");
        RequireNumber(layer, null, "quant_scale", 0, "scales that are not quantized in turn can be read");
        RequireNumber(layer, null, "quant_zero", 0, "zeros that are not quantized in turn can be read");
        RequirePacking(layer);
        (long n, long k) = ReadShape(layer);
        long? configured = Number(layer, config, "group_size");
        // None: a group is a row.
        long groupSize = configured is null or 0 or -1 ? k : configured.Value;
        long groups = groupSize > 0 && k % groupSize == 0 ? checked(n * (k / groupSize)) : throw new CheckpointException(
            layer.Marker.File, layer.Name + ".group_size", $"is {groupSize}; expected one that divides {k} in features");

        var codes = layer.Marker;
        // With view_as_float the bytes are declared as 16-bit floats.
        if (codes.Type is not (TensorType.U8 or TensorType.F16 or TensorType.BF16 or TensorType.F32)
            || codes.Bytes != groups / 2 * groupSize || groups % 2 != 0)
        {
            throw new CheckpointException(codes.File, codes.Name,
                $"is {codes.Type} {codes.ShapeText} of {codes.Bytes} bytes; expected U8 or 16-bit floats, for [{n}, {k}] in "
                + $"groups of {groupSize} {groups / 2 * groupSize} bytes and an even number of groups");
        }
        var scale = LayerTensors.Expect(layer.Require(".scale"), LayerTensors.Floats, groups, 1);
        var zero = LayerTensors.Expect(layer.Require(".zero"), [scale.Type], groups, 1);
        var info = new WeightInfo(
            layer.Name, WeightFormat.Hqq, n, k, groupSize, false, codes.Bytes + scale.Bytes + zero.Bytes);
        TensorInfo[] descriptions = [.. Descriptions.Select(layer.Find).OfType<TensorInfo>()];
        return new WeightEntry(info, [codes, scale, zero, .. descriptions], read => new WeightTensors
        {
            Format = WeightFormat.Hqq,
            OutFeatures = n,
            InFeatures = k,
            GroupSize = groupSize,
            ScaleDType = LayerTensors.DTypeOf(scale),
            Codes = read(new TensorPart(codes)),
            Scales = read(new TensorPart(scale)),
            ZeroPoints = read(new TensorPart(zero)),
        });
    }

    /// <summary>What a tensor of the layer says, or else the configuration.</summary>
    private static long? Number(LayerTensors layer, QuantizationConfig? config, string field) =>
        layer.Find("." + field) is { } tensor
            ? Scalars.ReadInteger(layer.Source, tensor)
            : config?.Integer(Parameters + field) ?? config?.Integer(field);

    private static void RequireNumber(
        LayerTensors layer, QuantizationConfig? config, string field, long expected, string allowed)
    {
        if (Number(layer, config, field) is { } number && number != expected)
            throw new CheckpointException(layer.Marker.File, $"{layer.Name}.{field}", $"is {number}; {allowed}");
    }

    private static void RequirePacking(LayerTensors layer)
    {
        if (layer.Find(".packing") is not { } tensor) return;
        string packing = tensor.Type == TensorType.U8 && tensor.Bytes <= MaxPackingBytes
            ? Encoding.Latin1.GetString(layer.Source.Read(tensor))
            : tensor.ShapeText;
        if (packing != FourBits)
        {
            throw new CheckpointException(tensor.File, tensor.Name,
                $"is {CheckpointException.Quote(packing)}; '{FourBits}' can be read");
        }
    }

    private static (long OutFeatures, long InFeatures) ReadShape(LayerTensors layer)
    {
        var tensor = layer.Require(".shape");
        LayerTensors.Expect(tensor, [TensorType.I64, TensorType.I32], 2);
        byte[] bytes = layer.Source.Read(tensor);
        (long n, long k) = tensor.Type == TensorType.I64
            ? (BinaryPrimitives.ReadInt64LittleEndian(bytes), BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8)))
            : (BinaryPrimitives.ReadInt32LittleEndian(bytes), BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4)));
        if (n > 0 && k > 0 && n <= long.MaxValue / k) return (n, k);
        throw new CheckpointException(tensor.File, tensor.Name, $"is [{n}, {k}]; expected two whole numbers above 0");
    }
}
