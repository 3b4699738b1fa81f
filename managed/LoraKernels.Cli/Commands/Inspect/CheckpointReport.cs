using System.Text.Json.Serialization;
using LoraKernels.Checkpoints;
using LoraKernels.Cli.Views;

namespace LoraKernels.Cli.Commands.Inspect;

/// <summary>What <c>inspect --json</c> prints for a checkpoint.</summary>
/// <param name="Kind">"checkpoint".</param>
/// <param name="Container">"safetensors", "safetensors in 3 shards", "GGUF 3".</param>
/// <param name="Weights">The weights that can be loaded.</param>
/// <param name="OtherTensors">Tensors that are no part of those.</param>
/// <param name="Remarks">What should be known of how it is read, in sentences.</param>
internal sealed record CheckpointReport(
    string Kind,
    string Path,
    string Container,
    string? BaseModel,
    IReadOnlyList<InspectedWeight> Weights,
    IReadOnlyList<InspectedTensor> OtherTensors,
    InspectedTotals Totals,
    IReadOnlyList<string> Remarks)
{
    public static CheckpointReport Of(Checkpoint checkpoint)
    {
        InspectedWeight[] weights = [.. checkpoint.Weights.Select(static weight => new InspectedWeight(
            weight.Name,
            FormatNames.Of(weight.Format, weight.Nested),
            weight.OutFeatures,
            weight.InFeatures,
            weight.GroupSize,
            weight.Nested,
            weight.Bytes))];
        InspectedTensor[] others = [.. checkpoint.Tensors.Select(static tensor =>
            new InspectedTensor(tensor.Name, tensor.Type.ToString(), tensor.Shape, tensor.Bytes))];
        return new CheckpointReport(
            "checkpoint",
            checkpoint.Path,
            checkpoint.Kind,
            checkpoint.BaseModelName,
            weights,
            others,
            new InspectedTotals(
                weights.Length,
                weights.Sum(static weight => weight.OutFeatures * weight.InFeatures),
                weights.Sum(static weight => weight.Bytes),
                others.Length,
                others.Sum(static tensor => tensor.Bytes)),
            checkpoint.Remarks);
    }
}

internal sealed record InspectedWeight(
    string Name, string Format, long OutFeatures, long InFeatures, long GroupSize, bool Nested, long Bytes);

internal sealed record InspectedTensor(
    string Name, [property: JsonPropertyName("dtype")] string DType, IReadOnlyList<long> Shape, long Bytes);

/// <param name="Parameters">Elements of all weights.</param>
internal sealed record InspectedTotals(int Weights, long Parameters, long WeightBytes, int OtherTensors, long OtherBytes);
