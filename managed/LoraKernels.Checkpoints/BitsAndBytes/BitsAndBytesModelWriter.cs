using System.Text.Json;
using LoraKernels.Checkpoints.Writing;

namespace LoraKernels.Checkpoints;

/// <summary>bitsandbytes weights as transformers keeps them in a model's folder.</summary>
/// <param name="format">NF4 or FP4.</param>
/// <param name="groupSize">Weights that share an absmax.</param>
/// <param name="outerGroupSize">Absmax values that share an outer scale; 0 when absmax is plain.</param>
internal sealed class BitsAndBytesModelWriter(WeightFormat format, long groupSize, long outerGroupSize) : IWeightWriter
{
    private readonly string _quantType = BitsAndBytesWeights.QuantTypeOf(format)!;

    public string? Refusal(long outFeatures, long inFeatures) => null;

    public IReadOnlyList<SafetensorsEntry> Plan(string name, long outFeatures, long inFeatures, DType quantizedFrom) =>
        [.. BitsAndBytesWriter.Tensors(_quantType, outFeatures, inFeatures, groupSize, outerGroupSize)
            .Select(t => new SafetensorsEntry(name + t.Ending, t.Type, t.Shape))];

    public IReadOnlyList<SafetensorsEntry> Entries(string name, WeightTensors tensors, DType quantizedFrom) =>
        BitsAndBytesWriter.Entries(name, tensors, quantizedFrom);

    public void WriteConfig(Utf8JsonWriter json, IReadOnlyList<string> keptModules, DType modelType)
    {
        json.WriteStartObject();
        json.WriteString("quant_method", "bitsandbytes");
        json.WriteBoolean("load_in_4bit", true);
        json.WriteBoolean("load_in_8bit", false);
        json.WriteString("bnb_4bit_quant_type", _quantType);
        json.WriteBoolean("bnb_4bit_use_double_quant", outerGroupSize > 0);
        json.WriteString("bnb_4bit_compute_dtype", QuantState.NameOf(modelType));
        json.WriteString("bnb_4bit_quant_storage", "uint8");
        json.WriteBoolean("llm_int8_enable_fp32_cpu_offload", false);
        json.WriteBoolean("llm_int8_has_fp16_weight", false);
        json.WriteNumber("llm_int8_threshold", 6.0);
        json.WriteStartArray("llm_int8_skip_modules");
        foreach (string module in keptModules) json.WriteStringValue(module);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
