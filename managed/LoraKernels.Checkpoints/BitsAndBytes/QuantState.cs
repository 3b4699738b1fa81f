using System.Text.Json;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// What bitsandbytes stores as JSON in the bytes of a tensor beside a 4-bit weight: everything that is not a tensor
/// itself.
/// </summary>
/// <param name="OutFeatures">N.</param>
/// <param name="InFeatures">K.</param>
/// <param name="BlockSize">Weights that share an absmax.</param>
/// <param name="DType">The number format that the weight was quantized from.</param>
/// <param name="NestedBlockSize">Absmax values that share an outer scale; 0 when absmax is plain.</param>
/// <param name="NestedOffset">Added to every nested absmax.</param>
internal sealed record QuantState(
    long OutFeatures, long InFeatures, long BlockSize, DType DType, long NestedBlockSize, float NestedOffset)
{
    /// <summary>
    /// Length of the JSON: it ends in blanks, so that a file can be planned before the offset is known.
    /// </summary>
    public const int JsonBytes = 256;

    private const int MinBlockSize = 32;
    private const int MaxBlockSize = 4096;
    private const long MaxNestedBlockSize = 1 << 20;

    private static readonly (string Name, DType Type)[] Types =
        [("float32", DType.Float32), ("float16", DType.Float16), ("bfloat16", DType.BFloat16)];

    /// <exception cref="CheckpointException">Names the tensor, the field and what was found.</exception>
    public static QuantState Parse(TensorInfo tensor, byte[] json, string quantType)
    {
        using var document = JsonFile.Parse(tensor.File, tensor.Name, json);
        var root = document.RootElement;
        Require(tensor, root, "quant_type", v => v.ValueKind == JsonValueKind.String && v.ValueEquals(quantType),
            $"'{quantType}'");
        var block = Require(tensor, root, "blocksize", v => Whole(v, MinBlockSize, MaxBlockSize, powerOfTwo: true),
            $"a power of two from {MinBlockSize} to {MaxBlockSize}");
        var type = Require(tensor, root, "dtype", v => v.ValueKind == JsonValueKind.String && TypeOf(v) is not null,
            string.Join(", ", Types.Select(t => $"'{t.Name}'")));
        var shape = Require(tensor, root, "shape", IsShape, "two whole numbers above 0");
        long nestedBlock = 0;
        float offset = 0;
        if (root.TryGetProperty("nested_blocksize", out _))
        {
            nestedBlock = Require(tensor, root, "nested_blocksize",
                v => Whole(v, 1, MaxNestedBlockSize, powerOfTwo: false),
                $"a whole number from 1 to {MaxNestedBlockSize}").GetInt64();
            Require(tensor, root, "nested_dtype",
                v => v.ValueKind == JsonValueKind.String && v.ValueEquals("float32"), "'float32'");
            offset = (float)Require(tensor, root, "nested_offset",
                v => v.ValueKind == JsonValueKind.Number && float.IsFinite((float)v.GetDouble()),
                "a finite number").GetDouble();
        }
        return new QuantState(shape[0].GetInt64(), shape[1].GetInt64(), block.GetInt64(), TypeOf(type)!.Value,
            nestedBlock, offset);
    }

    /// <summary>torch's name of a number format.</summary>
    public static string NameOf(DType type) => Types.First(t => t.Type == type).Name;

    /// <summary>The JSON as bitsandbytes writes it, and blanks.</summary>
    public byte[] ToJson(string quantType)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("quant_type", quantType);
            json.WriteNumber("blocksize", BlockSize);
            json.WriteString("dtype", NameOf(DType));
            json.WriteStartArray("shape");
            json.WriteNumberValue(OutFeatures);
            json.WriteNumberValue(InFeatures);
            json.WriteEndArray();
            if (NestedBlockSize > 0)
            {
                json.WriteNumber("nested_blocksize", NestedBlockSize);
                json.WriteString("nested_dtype", "float32");
                json.WriteNumber("nested_offset", (double)NestedOffset);
            }
            json.WriteEndObject();
        }
        byte[] bytes = new byte[JsonBytes];
        bytes.AsSpan().Fill((byte)' ');
        buffer.ToArray().CopyTo(bytes, 0);
        return bytes;
    }

    private static JsonElement Require(
        TensorInfo tensor, JsonElement root, string field, Func<JsonElement, bool> isAllowed, string allowed)
    {
        bool found = root.TryGetProperty(field, out var value);
        if (found && isAllowed(value)) return value;
        throw new CheckpointException(tensor.File, tensor.Name,
            $"{field} is {(found ? JsonFile.Describe(value) : "missing")}; allowed is {allowed}");
    }

    private static bool Whole(JsonElement value, long least, long most, bool powerOfTwo) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) && number >= least
        && number <= most && (!powerOfTwo || long.IsPow2(number));

    private static bool IsShape(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 2
        && Whole(value[0], 1, long.MaxValue, false) && Whole(value[1], 1, long.MaxValue, false);

    private static DType? TypeOf(JsonElement value)
    {
        foreach (var (name, type) in Types)
        {
            if (value.ValueEquals(name)) return type;
        }
        return null;
    }
}
