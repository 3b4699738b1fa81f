namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds NVFP4 weights of NVIDIA's ModelOpt: <c>NAME.weight</c> U8 [N, K / 2], <c>NAME.weight_scale</c> F8_E4M3 [N, K / 16]
/// and <c>NAME.weight_scale_2</c>, a float that multiplies.
/// </summary>
internal sealed class ModelOptWeights : IWeightReader
{
    private const string TensorScale = ".weight_scale_2";
    private const string Scale = ".weight_scale";
    private const string Weight = ".weight";
    private const int GroupSize = 16;

    public string Reads => "ModelOpt NVFP4";

    public IReadOnlyList<string> Methods => ["modelopt", "modelopt_fp4"];

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config)
    {
        if (Methods.Contains(config?.Method, StringComparer.OrdinalIgnoreCase))
            config!.RequireText("quant_algo", "NVFP4", "MIXED_PRECISION");
        foreach (var layer in LayerTensors.Of(source, TensorScale))
        {
            var weight = layer.Require(Weight);
            // Other algorithms have a second scale, too.
            if (weight.Type != TensorType.U8) continue;
            yield return Check(layer, weight);
        }
    }

    private static WeightEntry Check(LayerTensors layer, TensorInfo weight)
    {
        (long n, long bytes) = LayerTensors.ExpectMatrix(weight, TensorType.U8);
        long k = checked(bytes * 2);
        var scale = LayerTensors.Expect(layer.Require(Scale), [TensorType.F8E4M3], n, k / GroupSize);
        float tensorScale = Scalars.ReadScale(layer.Source, layer.Marker);
        var info = new WeightInfo(layer.Name, WeightFormat.Nvfp4, n, k, GroupSize, false, weight.Bytes + scale.Bytes);
        return new WeightEntry(info, [weight, scale, layer.Marker], read => new WeightTensors
        {
            Format = WeightFormat.Nvfp4,
            OutFeatures = n,
            InFeatures = k,
            GroupSize = GroupSize,
            TensorScale = tensorScale,
            Codes = read(new TensorPart(weight)),
            Scales = read(new TensorPart(scale)),
        });
    }
}
