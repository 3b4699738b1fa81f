using System.Text.Json;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>Writes a PEFT adapter's two files.</summary>
internal static class PeftAdapterWriter
{
    private readonly record struct Setting(long Rank, double Alpha);

    public static void Write(string folder, LoraAdapter adapter)
    {
        var settings = new Dictionary<string, Setting>(StringComparer.Ordinal);
        foreach (var factors in adapter.Factors)
        {
            if (factors.Rank is < 1 or > PeftAdapter.MaxRank)
            {
                throw new ArgumentException(
                    $"the rank of {factors.Module} is {factors.Rank}; allowed are 1 to {PeftAdapter.MaxRank}", nameof(adapter));
            }
            // Exact: a float has 24 bits, a rank 10, and alpha / rank gives the float back.
            if (!settings.TryAdd(factors.Module, new Setting(factors.Rank, (double)factors.Scale * factors.Rank)))
                throw new ArgumentException($"the module {factors.Module} is updated twice", nameof(adapter));
        }
        if (settings.Count == 0) throw new ArgumentException("the adapter has no updates", nameof(adapter));

        var usual = settings.Values.GroupBy(s => s).MaxBy(g => g.Count())!.Key;
        var patterns = Patterns(settings, usual);
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(Path.Combine(folder, PeftAdapter.WeightsName), adapter.Factors.SelectMany(Entries),
            new Dictionary<string, string> { ["format"] = "pt" });
        AtomicFile.Write(Path.Combine(folder, PeftConfig.FileName), stream => WriteConfig(
            stream, adapter, usual, patterns));
    }

    private static IEnumerable<SafetensorsEntry> Entries(LoraFactors factors)
    {
        yield return Entry(factors.Module + PeftAdapter.SuffixA, factors.A);
        yield return Entry(factors.Module + PeftAdapter.SuffixB, factors.B);
    }

    private static SafetensorsEntry Entry(string name, HostMatrix matrix) => new(
        PeftAdapter.Prefix + name,
        matrix.DType switch
        {
            DType.Float32 => TensorType.F32,
            DType.Float16 => TensorType.F16,
            _ => TensorType.BF16,
        },
        [matrix.Rows, matrix.Columns], matrix.Data);

    /// <summary>
    /// Patterns for the modules that differ from the usual. A name also matches other modules that end with it, so when
    /// that would give one of them a wrong value, all modules are listed, the longest names first.
    /// </summary>
    private static (string Module, Setting Setting)[] Patterns(Dictionary<string, Setting> settings, Setting usual)
    {
        var all = settings.Select(s => (Module: s.Key, Setting: s.Value)).OrderByDescending(s => s.Module.Length)
            .ThenBy(s => s.Module, StringComparer.Ordinal).ToArray();
        var few = all.Where(s => s.Setting != usual).ToArray();
        if (Describes(few, settings, usual)) return few;
        return Describes(all, settings, usual) ? all : throw new ArgumentException(
            "the names of the modules cannot be told apart by PEFT's patterns", nameof(settings));
    }

    private static bool Describes(
        (string Module, Setting Setting)[] patterns, Dictionary<string, Setting> settings, Setting usual)
    {
        var parsed = Array.ConvertAll(patterns, p => (Pattern: PeftPattern.Parse(p.Module), p.Setting));
        foreach (var (module, wanted) in settings)
        {
            int first = Array.FindIndex(parsed, p => p.Pattern.Matches(module));
            if ((first < 0 ? usual : parsed[first].Setting) != wanted) return false;
        }
        return true;
    }

    private static void WriteConfig(
        Stream stream, LoraAdapter adapter, Setting usual, (string Module, Setting Setting)[] patterns)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteStartObject("alpha_pattern");
        foreach (var (module, setting) in patterns) WriteNumber(json, module, setting.Alpha);
        json.WriteEndObject();
        json.WriteNull("auto_mapping");
        json.WriteString("base_model_name_or_path", adapter.BaseModel);
        json.WriteString("bias", "none");
        json.WriteBoolean("fan_in_fan_out", false);
        json.WriteBoolean("inference_mode", true);
        json.WriteBoolean("init_lora_weights", true);
        json.WriteNull("layers_pattern");
        json.WriteNull("layers_to_transform");
        WriteNumber(json, "lora_alpha", usual.Alpha);
        json.WriteNumber("lora_dropout", 0.0);
        json.WriteNull("modules_to_save");
        json.WriteString("peft_type", "LORA");
        json.WriteNumber("r", usual.Rank);
        json.WriteStartObject("rank_pattern");
        foreach (var (module, setting) in patterns) json.WriteNumber(module, setting.Rank);
        json.WriteEndObject();
        json.WriteNull("revision");
        json.WriteStartArray("target_modules");
        foreach (var factors in adapter.Factors) json.WriteStringValue(factors.Module);
        json.WriteEndArray();
        json.WriteNull("task_type");
        json.WriteBoolean("use_dora", false);
        json.WriteBoolean("use_rslora", false);
        json.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, double value)
    {
        if (value == Math.Floor(value) && Math.Abs(value) < 1L << 53) json.WriteNumber(name, (long)value);
        else json.WriteNumber(name, value);
    }
}
