namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds a GGUF file's weights, quantized or not: two-dimensional tensors named <c>NAME.weight</c>, and three-dimensional ones whose
/// experts are weights named <c>NAME.0</c> and so on. NVFP4 may have a float beside it, <c>NAME.scale</c>.
/// </summary>
internal sealed class GgufWeights : IWeightReader
{
    private const string Weight = ".weight";
    private const string Scale = ".scale";

    public string Reads => "GGUF (Q2_K to Q8_0, IQ4_NL, IQ4_XS, MXFP4, NVFP4, F16, BF16, F32)";

    public IReadOnlyList<string> Methods => [];

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config) =>
        source is GgufSource ? LayerTensors.Of(source, Weight).SelectMany(Weights) : [];

    private static (WeightFormat Format, int GroupSize)? FormatOf(TensorType type) => type switch
    {
        TensorType.Q4_0 => (WeightFormat.GgufQ4_0, 32),
        TensorType.Q4_1 => (WeightFormat.GgufQ4_1, 32),
        TensorType.Q4_K => (WeightFormat.GgufQ4_K, 32),
        TensorType.IQ4_NL => (WeightFormat.GgufIq4Nl, 32),
        TensorType.MXFP4 => (WeightFormat.GgufMxfp4, 32),
        TensorType.NVFP4 => (WeightFormat.GgufNvfp4, 16),
        TensorType.F32 => (WeightFormat.Float32, 1),
        TensorType.F16 => (WeightFormat.Float16, 1),
        TensorType.BF16 => (WeightFormat.BFloat16, 1),
        TensorType.Q5_0 => (WeightFormat.GgufQ5_0, 32),
        TensorType.Q5_1 => (WeightFormat.GgufQ5_1, 32),
        TensorType.Q8_0 => (WeightFormat.GgufQ8_0, 32),
        TensorType.Q2_K => (WeightFormat.GgufQ2_K, 16),
        TensorType.Q3_K => (WeightFormat.GgufQ3_K, 16),
        TensorType.Q5_K => (WeightFormat.GgufQ5_K, 32),
        TensorType.Q6_K => (WeightFormat.GgufQ6_K, 16),
        TensorType.IQ4_XS => (WeightFormat.GgufIq4Xs, 32),
        _ => null,
    };

    private static IEnumerable<WeightEntry> Weights(LayerTensors layer)
    {
        var tensor = layer.Marker;
        if (FormatOf(tensor.Type) is not var (format, groupSize) || tensor.Shape is not ([> 0, > 0] or [> 0, > 0, > 0]))
            yield break;
        bool stacked = tensor.Shape.Count == 3;
        long experts = stacked ? tensor.Shape[0] : 1;
        var scale = format == WeightFormat.GgufNvfp4 ? layer.Find(Scale) : null;
        float[] scales = TensorScales(layer, format, scale, experts);
        TensorInfo[] parts = [.. new[] { tensor, scale }.OfType<TensorInfo>()];
        for (int i = 0; i < experts; i++)
        {
            var blocks = TensorPart.Of(tensor, i, experts);
            var info = new WeightInfo(stacked ? $"{layer.Name}.{i}" : layer.Name, format, tensor.Shape[^2],
                tensor.Shape[^1], groupSize, false, blocks.Bytes);
            float tensorScale = scales[i];
            yield return new WeightEntry(info, parts, read => new WeightTensors
            {
                Format = format,
                OutFeatures = info.OutFeatures,
                InFeatures = info.InFeatures,
                GroupSize = groupSize,
                TensorScale = tensorScale,
                Codes = read(blocks),
            });
        }
    }

    /// <summary>A float for each expert, or 1; other formats have none.</summary>
    private static float[] TensorScales(LayerTensors layer, WeightFormat format, TensorInfo? scale, long experts)
    {
        float[] scales = new float[experts];
        Array.Fill(scales, format == WeightFormat.GgufNvfp4 ? 1 : 0);
        return scale is null ? scales : Scalars.ReadScales(layer.Source, scale, experts);
    }
}
