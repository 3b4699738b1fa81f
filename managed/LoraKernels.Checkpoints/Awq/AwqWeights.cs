namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds AWQ weights of the GEMM version: <c>NAME.qweight</c> I32 [K, N / 8], <c>NAME.qzeros</c> I32 [G, N / 8],
/// <c>NAME.scales</c> [G, N].
/// </summary>
internal sealed class AwqWeights : IWeightReader
{
    public string Reads => "AWQ (GEMM version)";

    public IReadOnlyList<string> Methods => ["awq"];

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config)
    {
        bool named = Methods.Contains(config?.Method, StringComparer.OrdinalIgnoreCase);
        bool gptq = string.Equals(config?.Method, "gptq", StringComparison.OrdinalIgnoreCase);
        bool first = true;
        foreach (var layer in LayerTensors.Of(source, GptqWeights.Codes))
        {
            if (gptq || (!named && GptqWeights.IsPackedAlongK(layer))) continue;
            if (named && first)
            {
                config!.RequireFourBits("bits");
                config.RequireFourBits("w_bit");
                config.RequireText("version", "gemm");
            }
            first = false;
            yield return Check(layer, named ? config : null);
        }
    }

    private static WeightEntry Check(LayerTensors layer, QuantizationConfig? config)
    {
        (long k, long words) = LayerTensors.ExpectMatrix(layer.Marker, TensorType.I32);
        long n = checked(words * 8);
        var scales = layer.Require(GptqWeights.Scales);
        (long groups, _) = LayerTensors.ExpectMatrix(scales, LayerTensors.Floats);
        LayerTensors.Expect(scales, LayerTensors.Floats, groups, n);
        var zeroPoints = LayerTensors.Expect(layer.Require(GptqWeights.ZeroPoints), [TensorType.I32], groups, words);
        string field = config?.Find("group_size") is null ? "q_group_size" : "group_size";
        long groupSize = LayerTensors.GroupSize(scales, k, groups, config, field, config?.Integer(field));
        TensorInfo[] parts = [layer.Marker, scales, zeroPoints];
        var info = new WeightInfo(layer.Name, WeightFormat.Awq, n, k, groupSize, false, parts.Sum(p => p.Bytes));
        return new WeightEntry(info, parts, read => new WeightTensors
        {
            Format = WeightFormat.Awq,
            OutFeatures = n,
            InFeatures = k,
            GroupSize = groupSize,
            ScaleDType = LayerTensors.DTypeOf(scales),
            Codes = read(new TensorPart(layer.Marker)),
            Scales = read(new TensorPart(scales)),
            ZeroPoints = read(new TensorPart(zeroPoints)),
        });
    }
}
