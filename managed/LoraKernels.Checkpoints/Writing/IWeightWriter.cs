using System.Text.Json;

namespace LoraKernels.Checkpoints.Writing;

/// <summary>How a library keeps 4-bit weights in safetensors files, and says so in <c>config.json</c>.</summary>
internal interface IWeightWriter
{
    /// <summary>Why a weight of this shape cannot be kept so; null when it can.</summary>
    string? Refusal(long outFeatures, long inFeatures);

    /// <summary>The tensors of a weight, whose data is not known yet.</summary>
    IReadOnlyList<SafetensorsEntry> Plan(string name, long outFeatures, long inFeatures, DType quantizedFrom);

    /// <summary>The same with their data.</summary>
    IReadOnlyList<SafetensorsEntry> Entries(string name, WeightTensors tensors, DType quantizedFrom);

    /// <summary>Writes the value of <c>quantization_config</c>.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="keptModules">Linears, or what could be one, that are not quantized.</param>
    /// <param name="modelType">The number format of the model before.</param>
    void WriteConfig(Utf8JsonWriter json, IReadOnlyList<string> keptModules, DType modelType);
}
