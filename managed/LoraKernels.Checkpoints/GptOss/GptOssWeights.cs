namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds the MXFP4 experts of OpenAI's checkpoints: <c>NAME_blocks</c> U8 [experts, N, K / 32, 16] and <c>NAME_scales</c> U8
/// [experts, N, K / 32]. Each expert is a weight, named <c>NAME.0</c> and so on.
/// </summary>
internal sealed class GptOssWeights : IWeightReader
{
    private const string Blocks = "_blocks";
    private const string Scales = "_scales";
    private const int GroupSize = 32;

    public string Reads => "MXFP4 experts (gpt-oss)";

    public IReadOnlyList<string> Methods => ["mxfp4"];

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config) =>
        LayerTensors.Of(source, Blocks).Where(layer => layer.Find(Scales) is not null).SelectMany(Experts);

    private static IEnumerable<WeightEntry> Experts(LayerTensors layer)
    {
        var blocks = layer.Marker;
        if (blocks.Type != TensorType.U8 || blocks.Shape is not [> 0, > 0, > 0, GroupSize / 2])
        {
            throw new CheckpointException(blocks.File, blocks.Name,
                $"is {blocks.Type} {blocks.ShapeText}; expected U8 [experts, rows, groups, {GroupSize / 2}]");
        }
        (long experts, long n, long groups) = (blocks.Shape[0], blocks.Shape[1], blocks.Shape[2]);
        var scales = LayerTensors.Expect(
            layer.Require(Scales), [TensorType.U8, TensorType.F8E8M0], experts, n, groups);
        for (long i = 0; i < experts; i++)
        {
            var codes = TensorPart.Of(blocks, i, experts);
            var exponents = TensorPart.Of(scales, i, experts);
            var info = new WeightInfo($"{layer.Name}.{i}", WeightFormat.Mxfp4, n, groups * GroupSize, GroupSize, false,
                codes.Bytes + exponents.Bytes);
            yield return new WeightEntry(info, [blocks, scales], read => new WeightTensors
            {
                Format = WeightFormat.Mxfp4,
                OutFeatures = n,
                InFeatures = groups * GroupSize,
                GroupSize = GroupSize,
                Codes = read(codes),
                Scales = read(exponents),
            });
        }
    }
}
