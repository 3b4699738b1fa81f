namespace LoraKernels.Checkpoints;

/// <summary>Finds the Q4_0 weights of linear layers: two-dimensional tensors named <c>NAME.weight</c>.</summary>
internal static class GgufWeights
{
    private const string Weight = ".weight";
    private const int GroupSize = 32;

    public static IEnumerable<WeightEntry> Find(TensorSource source)
    {
        foreach (var tensor in source.Tensors)
        {
            bool isWeight = tensor.Type == TensorType.Q4_0 && tensor.Shape is [> 0, > 0]
                && tensor.Name.EndsWith(Weight, StringComparison.Ordinal) && tensor.Name.Length > Weight.Length;
            if (!isWeight) continue;
            var info = new WeightInfo(tensor.Name[..^Weight.Length], WeightFormat.GgufQ4_0, tensor.Shape[0],
                tensor.Shape[1], GroupSize, false, tensor.Bytes);
            yield return new WeightEntry(info, [tensor], () => new WeightTensors
            {
                Format = WeightFormat.GgufQ4_0,
                OutFeatures = info.OutFeatures,
                InFeatures = info.InFeatures,
                GroupSize = GroupSize,
                Codes = source.Read(tensor),
            });
        }
    }
}
