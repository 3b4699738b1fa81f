namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds GPTQ weights: <c>NAME.qweight</c> I32 [K / 8, N], <c>NAME.qzeros</c> I32 [G, N / 8], <c>NAME.scales</c> [G, N], and
/// <c>NAME.g_idx</c> I32 [K] where groups are in the order of activations.
/// </summary>
/// <remarks>
/// <c>checkpoint_format</c> tells the versions apart: the first stores zero points less 1, <c>gptq_v2</c> as they are.
/// </remarks>
internal sealed class GptqWeights : IWeightReader
{
    public const string Codes = ".qweight";
    public const string ZeroPoints = ".qzeros";
    public const string Scales = ".scales";
    public const string GroupIndex = ".g_idx";

    private const string VersionField = "checkpoint_format";
    private const string SecondVersion = "gptq_v2";

    public string Reads => "GPTQ (v1 and v2)";

    public IReadOnlyList<string> Methods => ["gptq"];

    /// <summary>Whether a layer with <see cref="Codes"/> is packed along k, as GPTQ does it; AWQ packs along n.</summary>
    public static bool IsPackedAlongK(LayerTensors layer) =>
        layer.Marker.Shape is [_, var columns] && layer.Require(Scales).Shape is [_, var outFeatures]
        && columns == outFeatures;

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config)
    {
        bool named = Methods.Contains(config?.Method, StringComparer.OrdinalIgnoreCase);
        bool first = true;
        foreach (var layer in LayerTensors.Of(source, Codes))
        {
            if (!named && !IsPackedAlongK(layer)) continue;
            if (named && first)
            {
                config!.RequireFourBits("bits");
                config.RequireText(VersionField, "gptq", SecondVersion);
            }
            first = false;
            yield return Check(layer, named ? config : null);
        }
    }

    public string? Remark(QuantizationConfig? config, IReadOnlyList<WeightInfo> found) =>
        found.Any(w => w.Format == WeightFormat.Gptq) && config?.Flag("sym") != true
            ? "GPTQ's first version stores zero points less 1: one stored as 15 is taken as 16 (some readers take it as 0)"
            : null;

    private static WeightEntry Check(LayerTensors layer, QuantizationConfig? config)
    {
        (long words, long n) = LayerTensors.ExpectMatrix(layer.Marker, TensorType.I32);
        long k = checked(words * 8);
        var scales = layer.Require(Scales);
        (long groups, _) = LayerTensors.ExpectMatrix(scales, LayerTensors.Floats);
        LayerTensors.Expect(scales, LayerTensors.Floats, groups, n);
        var groupIndex = layer.Find(GroupIndex);
        // Before the zero points: other numbers of bits show here.
        if (groupIndex is not null) LayerTensors.Expect(groupIndex, [TensorType.I32], k);
        var zeroPoints = LayerTensors.Expect(layer.Require(ZeroPoints), [TensorType.I32], groups, n / 8);
        if (n % 8 != 0)
        {
            throw new CheckpointException(layer.Marker.File, layer.Marker.Name,
                $"is {layer.Marker.Type} {layer.Marker.ShapeText}: {n} out features; GPTQ packs 8 to a word");
        }
        long groupSize = LayerTensors.GroupSize(scales, k, groups, config, "group_size",
            config?.Find("dynamic") is null ? config?.Integer("group_size") : null);
        TensorInfo[] parts = [layer.Marker, scales, zeroPoints];
        if (groupIndex is not null) parts = [.. parts, groupIndex];
        var format = string.Equals(config?.Text(VersionField), SecondVersion, StringComparison.OrdinalIgnoreCase)
            ? WeightFormat.GptqV2
            : WeightFormat.Gptq;
        var info = new WeightInfo(layer.Name, format, n, k, groupSize, false, parts.Sum(p => p.Bytes));
        return new WeightEntry(info, parts, read => new WeightTensors
        {
            Format = format,
            OutFeatures = n,
            InFeatures = k,
            GroupSize = groupSize,
            ScaleDType = LayerTensors.DTypeOf(scales),
            Codes = read(new TensorPart(layer.Marker)),
            Scales = read(new TensorPart(scales)),
            ZeroPoints = read(new TensorPart(zeroPoints)),
            GroupIndex = groupIndex is null ? default : read(new TensorPart(groupIndex)),
        });
    }
}
