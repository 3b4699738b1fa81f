using System.Text.Json;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// What a model's folder says of its quantization: <c>quantization_config</c> in <c>config.json</c>, or the file of its own
/// that AutoGPTQ, AutoAWQ and ModelOpt write.
/// </summary>
internal sealed class QuantizationConfig
{
    public const string MethodField = "quant_method";

    private const string ConfigName = "config.json";
    private const long MaxConfigBytes = 16 << 20;

    /// <summary>Names of the files, the object in them, and whose they are.</summary>
    private static readonly (string File, string? Section, string? Method)[] Places =
    [
        (ConfigName, "quantization_config", null),
        (ConfigName, "compression_config", "compressed-tensors"),
        ("quantize_config.json", null, "gptq"),
        ("quant_config.json", null, "awq"),
        ("hf_quant_config.json", "quantization", "modelopt"),
    ];

    private readonly JsonElement _root;
    private readonly string? _section;

    private QuantizationConfig(string file, string? section, string? method, JsonElement root)
    {
        File = file;
        _section = section;
        _root = root;
        Method = Text(MethodField) ?? method;
    }

    /// <summary>The file that says so.</summary>
    public string File { get; }

    /// <summary>"gptq", "bitsandbytes"; null when it does not say.</summary>
    public string? Method { get; }

    /// <summary>Reads what a folder says; null when it says nothing.</summary>
    /// <exception cref="CheckpointException">Malformed, or two files that contradict each other.</exception>
    public static QuantizationConfig? Read(string folder) => Of(name =>
        FolderFiles.Find(folder, name) is { } path ? (path, JsonFile.Read(path, MaxConfigBytes)) : null);

    /// <summary>The same from files that <paramref name="open"/> gives by their names, or null, wherever they are from.</summary>
    public static QuantizationConfig? Of(Func<string, (string Path, JsonDocument Document)?> open)
    {
        QuantizationConfig? first = null;
        foreach (var (name, section, method) in Places)
        {
            if (open(name) is not var (path, document)) continue;
            using var owner = document;
            var root = document.RootElement;
            if (section is not null && !root.TryGetProperty(section, out root)) continue;
            if (root.ValueKind == JsonValueKind.Null) continue;
            if (root.ValueKind != JsonValueKind.Object)
                throw new CheckpointException(path, section, $"is {JsonFile.Describe(root)}; expected an object");
            var found = new QuantizationConfig(path, section, method, root.Clone());
            if (first is null) first = found;
            else first.RequireAgreement(found);
        }
        return first;
    }

    /// <summary>A field of this object, or of one inside: <c>quant_config.weight_quant_params.nbits</c>.</summary>
    public JsonElement? Find(string field)
    {
        var element = _root;
        foreach (string name in field.Split('.'))
        {
            if (element.ValueKind != JsonValueKind.Object || !element.TryGetProperty(name, out element)) return null;
        }
        return element.ValueKind == JsonValueKind.Null ? null : element;
    }

    /// <summary>A field that is a string; null when it is absent.</summary>
    /// <exception cref="CheckpointException">Of another kind.</exception>
    public string? Text(string field) => Find(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Error(field, $"is {JsonFile.Describe(value)}; expected a string");

    /// <summary>A field that is a whole number; null when it is absent.</summary>
    /// <exception cref="CheckpointException">Of another kind.</exception>
    public long? Integer(string field) => Find(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number) ? number
        : throw Error(field, $"is {JsonFile.Describe(value)}; expected a whole number");

    /// <summary>Whether a field is there and true.</summary>
    public bool Flag(string field) => Find(field) is { ValueKind: JsonValueKind.True };

    /// <summary>Refuses another number of bits than 4.</summary>
    public void RequireFourBits(string field)
    {
        if (Integer(field) is { } bits and not 4) throw Error(field, $"is {bits}; weights of 4 bits can be read");
    }

    /// <summary>Refuses a text that is none of these, ignoring case; absent is allowed.</summary>
    public void RequireText(string field, params string[] allowed)
    {
        if (Text(field) is { } text && !allowed.Contains(text, StringComparer.OrdinalIgnoreCase))
        {
            throw Error(field, $"is {CheckpointException.Quote(text)}; can be read: "
                + string.Join(", ", allowed.Select(a => $"'{a}'")));
        }
    }

    public CheckpointException Error(string field, string reason) =>
        new(File, _section is null ? field : $"{_section}.{field}", reason);

    private void RequireAgreement(QuantizationConfig other)
    {
        foreach (string field in (string[])["bits", "group_size"])
        {
            if (Integer(field) is { } mine && other.Integer(field) is { } theirs && mine != theirs)
                throw other.Error(field, $"is {theirs}, but {mine} in {File}");
        }
    }
}
