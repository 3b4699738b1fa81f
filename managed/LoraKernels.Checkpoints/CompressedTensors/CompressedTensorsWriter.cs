using System.Buffers.Binary;
using System.Text.Json;
using LoraKernels.Checkpoints.Writing;

namespace LoraKernels.Checkpoints;

/// <summary>Writes int4 weights as compressed-tensors does (pack-quantized), as entries of a safetensors file.</summary>
/// <param name="groupSize">Weights that share a scale.</param>
/// <param name="zeroPoints">Whether every group has a zero point.</param>
internal sealed class CompressedTensorsWriter(long groupSize, bool zeroPoints) : IWeightWriter
{
    private const int WordCodes = 8;

    public string? Refusal(long outFeatures, long inFeatures) => inFeatures % groupSize == 0
        ? null
        : $"its {inFeatures} columns are no multiple of the group size {groupSize}";

    public IReadOnlyList<SafetensorsEntry> Plan(string name, long outFeatures, long inFeatures, DType quantizedFrom) =>
        [.. Tensors(outFeatures, inFeatures, quantizedFrom)
            .Select(t => new SafetensorsEntry(name + t.Ending, t.Type, t.Shape))];

    public IReadOnlyList<SafetensorsEntry> Entries(string name, WeightTensors tensors, DType quantizedFrom)
    {
        byte[] shape = new byte[2 * sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(shape, tensors.OutFeatures);
        BinaryPrimitives.WriteInt64LittleEndian(shape.AsSpan(sizeof(long)), tensors.InFeatures);
        ReadOnlyMemory<byte>[] data = [tensors.Codes, tensors.Scales, shape, tensors.ZeroPoints];
        return [.. Tensors(tensors.OutFeatures, tensors.InFeatures, quantizedFrom)
            .Select((t, i) => new SafetensorsEntry(name + t.Ending, t.Type, t.Shape, data[i]))];
    }

    // The last one only where there are zero points.
    private IEnumerable<(string Ending, TensorType Type, long[] Shape)> Tensors(long n, long k, DType scales)
    {
        long groups = k / groupSize;
        yield return (CompressedTensorsWeights.Packed, TensorType.I32, [n, (k + WordCodes - 1) / WordCodes]);
        yield return (CompressedTensorsWeights.Scale, PeftAdapterWriter.TypeOf(scales), [n, groups]);
        yield return (CompressedTensorsWeights.Shape, TensorType.I64, [2]);
        if (zeroPoints)
            yield return (CompressedTensorsWeights.ZeroPoint, TensorType.I32, [(n + WordCodes - 1) / WordCodes, groups]);
    }

    public void WriteConfig(Utf8JsonWriter json, IReadOnlyList<string> keptModules, DType modelType)
    {
        json.WriteStartObject();
        json.WriteString("quant_method", "compressed-tensors");
        json.WriteString("format", "pack-quantized");
        json.WriteString("quantization_status", "compressed");
        json.WriteStartObject("config_groups");
        json.WriteStartObject("group_0");
        json.WriteStartArray("targets");
        json.WriteStringValue("Linear");
        json.WriteEndArray();
        json.WriteStartObject("weights");
        json.WriteNumber("num_bits", 4);
        json.WriteString("type", "int");
        json.WriteBoolean("symmetric", !zeroPoints);
        json.WriteString("strategy", "group");
        json.WriteNumber("group_size", groupSize);
        json.WriteBoolean("dynamic", false);
        json.WriteNull("actorder");
        json.WriteString("observer", "minmax");
        json.WriteEndObject();
        json.WriteNull("input_activations");
        json.WriteNull("output_activations");
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteStartArray("ignore");
        foreach (string module in keptModules) json.WriteStringValue(module);
        json.WriteEndArray();
        json.WriteNull("kv_cache_scheme");
        json.WriteEndObject();
    }
}
