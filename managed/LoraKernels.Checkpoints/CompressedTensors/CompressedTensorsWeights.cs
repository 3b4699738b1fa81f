using System.Buffers.Binary;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds compressed-tensors' weights of 4 bits: <c>NAME.weight_packed</c> and <c>NAME.weight_scale</c>. Integers
/// (pack-quantized) are I32 [N, ⌈K / 8⌉] with <c>weight_shape</c>, and may have <c>weight_zero_point</c> and
/// <c>weight_g_idx</c>; NVFP4 and MXFP4 are U8 [N, K / 2].
/// </summary>
internal sealed class CompressedTensorsWeights : IWeightReader
{
    public const string Packed = ".weight_packed";
    public const string Scale = ".weight_scale";
    private const string GlobalScale = ".weight_global_scale";
    public const string Shape = ".weight_shape";
    public const string ZeroPoint = ".weight_zero_point";
    private const string GroupIndex = ".weight_g_idx";

    public string Reads => "compressed-tensors (pack-quantized, nvfp4-pack-quantized, mxfp4-pack-quantized)";

    public IReadOnlyList<string> Methods => ["compressed-tensors"];

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config)
    {
        if (Methods.Contains(config?.Method, StringComparer.OrdinalIgnoreCase))
        {
            config!.RequireText(
                "format", "pack-quantized", "nvfp4-pack-quantized", "mxfp4-pack-quantized", "mixed-precision");
        }
        foreach (var layer in LayerTensors.Of(source, Packed))
        {
            var scale = layer.Require(Scale);
            yield return layer.Marker.Type == TensorType.I32 ? CheckIntegers(layer, scale) : CheckFloats(layer, scale);
        }
    }

    private static WeightEntry CheckIntegers(LayerTensors layer, TensorInfo scale)
    {
        (long n, long words) = LayerTensors.ExpectMatrix(layer.Marker, TensorType.I32);
        var shape = layer.Require(Shape);
        long k = ReadShape(layer.Source, shape, n);
        if (words != (k - 1) / 8 + 1)
        {
            throw new CheckpointException(layer.Marker.File, layer.Marker.Name,
                $"is I32 {layer.Marker.ShapeText}; [{n}, {k}] in 4 bits is [{n}, {(k - 1) / 8 + 1}]. Weights of 4 bits can be "
                + "read");
        }
        (_, long groups) = LayerTensors.ExpectMatrix(scale, LayerTensors.Floats);
        LayerTensors.Expect(scale, LayerTensors.Floats, n, groups);
        var groupIndex = layer.Find(GroupIndex);
        if (groupIndex is not null) LayerTensors.Expect(groupIndex, [TensorType.I32], k);
        var zeroPoint = layer.Find(ZeroPoint);
        if (zeroPoint is not null) LayerTensors.Expect(zeroPoint, [TensorType.I32], (n - 1) / 8 + 1, groups);
        long groupSize = LayerTensors.GroupSize(scale, k, groups, null, "group_size", null);
        TensorInfo[] parts = [.. new[] { layer.Marker, scale, zeroPoint, groupIndex }.OfType<TensorInfo>()];
        var info = new WeightInfo(
            layer.Name, WeightFormat.Int4Packed, n, k, groupSize, false, parts.Sum(p => p.Bytes));
        return new WeightEntry(info, [.. parts, shape], read => new WeightTensors
        {
            Format = WeightFormat.Int4Packed,
            OutFeatures = n,
            InFeatures = k,
            GroupSize = groupSize,
            ScaleDType = LayerTensors.DTypeOf(scale),
            Codes = read(new TensorPart(layer.Marker)),
            Scales = read(new TensorPart(scale)),
            ZeroPoints = zeroPoint is null ? default : read(new TensorPart(zeroPoint)),
            GroupIndex = groupIndex is null ? default : read(new TensorPart(groupIndex)),
        });
    }

    private static WeightEntry CheckFloats(LayerTensors layer, TensorInfo scale)
    {
        (long n, long bytes) = LayerTensors.ExpectMatrix(layer.Marker, TensorType.U8);
        long k = checked(bytes * 2);
        bool nvfp4 = scale.Type == TensorType.F8E4M3;
        int groupSize = nvfp4 ? 16 : 32;
        LayerTensors.Expect(scale, [TensorType.F8E4M3, TensorType.U8, TensorType.F8E8M0], n, k / groupSize);
        var global = nvfp4 ? layer.Require(GlobalScale) : null;
        float tensorScale = global is null ? 0 : Scalars.ReadScale(layer.Source, global);
        TensorInfo[] parts = [.. new[] { layer.Marker, scale, global }.OfType<TensorInfo>()];
        var format = nvfp4 ? WeightFormat.Nvfp4 : WeightFormat.Mxfp4;
        var info = new WeightInfo(layer.Name, format, n, k, groupSize, false, layer.Marker.Bytes + scale.Bytes);
        return new WeightEntry(info, parts, read => new WeightTensors
        {
            Format = format,
            OutFeatures = n,
            InFeatures = k,
            GroupSize = groupSize,
            TensorScale = tensorScale,
            TensorScaleDivides = nvfp4,
            Codes = read(new TensorPart(layer.Marker)),
            Scales = read(new TensorPart(scale)),
        });
    }

    /// <summary>K, of the two numbers in <c>weight_shape</c>.</summary>
    private static long ReadShape(TensorSource source, TensorInfo shape, long n)
    {
        LayerTensors.Expect(shape, [TensorType.I64, TensorType.I32], 2);
        byte[] bytes = source.Read(shape);
        (long rows, long columns) = shape.Type == TensorType.I64
            ? (BinaryPrimitives.ReadInt64LittleEndian(bytes), BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8)))
            : (BinaryPrimitives.ReadInt32LittleEndian(bytes), BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(4)));
        if (rows == n && columns > 0) return columns;
        throw new CheckpointException(shape.File, shape.Name, $"is [{rows}, {columns}]; expected {n} rows and some columns");
    }
}
