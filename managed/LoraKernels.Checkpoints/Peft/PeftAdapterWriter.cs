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
        RequireEverywhere(adapter, "bias", factors => factors.Bias is not null);
        RequireEverywhere(adapter, "magnitude", factors => factors.Magnitude is not null);
        if (adapter.SavedModules.FirstOrDefault(module => settings.ContainsKey(module.Name)) is { } both)
            throw new ArgumentException($"the module {both.Name} is updated and replaced", nameof(adapter));

        var usual = settings.Values.GroupBy(s => s).MaxBy(g => g.Count())!.Key;
        var patterns = Patterns(settings, usual);
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(Path.Combine(folder, PeftAdapter.WeightsName),
            adapter.Factors.SelectMany(Entries).Concat(adapter.SavedModules.SelectMany(Entries)),
            new Dictionary<string, string> { ["format"] = "pt" });
        AtomicFile.Write(Path.Combine(folder, PeftConfig.FileName), stream => WriteConfig(
            stream, adapter, usual, patterns));
    }

    /// <summary>PEFT's fields <c>lora_bias</c> and <c>use_dora</c> hold for every linear of an adapter.</summary>
    private static void RequireEverywhere(LoraAdapter adapter, string what, Func<LoraFactors, bool> has)
    {
        LoraFactors? with = adapter.Factors.FirstOrDefault(has);
        LoraFactors? without = adapter.Factors.FirstOrDefault(factors => !factors.IsEmbedding && !has(factors));
        if (with is not null && (without is not null || with.IsEmbedding))
        {
            throw new ArgumentException(
                $"{with.Module} has a {what}{(without is null ? "" : $", {without.Module} has none")}; in PEFT's files all "
                + "linears of an adapter have one, or none, and embeddings none",
                nameof(adapter));
        }
    }

    private static IEnumerable<SafetensorsEntry> Entries(LoraFactors factors)
    {
        string name = PeftTensorName.Prefix + factors.Module;
        yield return Matrix(name + (factors.IsEmbedding ? ".lora_embedding_A" : ".lora_A.weight"), factors.A);
        yield return Matrix(name + (factors.IsEmbedding ? ".lora_embedding_B" : ".lora_B.weight"), factors.B);
        if (factors.Bias is not null) yield return Vector(name + ".lora_B.bias", factors.Bias);
        if (factors.Magnitude is not null) yield return Vector(name + ".lora_magnitude_vector", factors.Magnitude);
    }

    private static IEnumerable<SafetensorsEntry> Entries(SavedModule module)
    {
        string name = PeftTensorName.Prefix + module.Name;
        yield return Matrix(name + ".weight", module.Weight);
        if (module.Bias is not null) yield return Vector(name + ".bias", module.Bias);
    }

    private static SafetensorsEntry Matrix(string name, HostMatrix matrix) =>
        new(name, TypeOf(matrix.DType), [matrix.Rows, matrix.Columns], matrix.Data);

    private static SafetensorsEntry Vector(string name, HostMatrix matrix) =>
        new(name, TypeOf(matrix.DType), [matrix.Columns], matrix.Data);

    internal static TensorType TypeOf(DType type) => type switch
    {
        DType.Float32 => TensorType.F32,
        DType.Float16 => TensorType.F16,
        _ => TensorType.BF16,
    };

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
        json.WriteBoolean("lora_bias", adapter.Factors.Any(factors => factors.Bias is not null));
        json.WriteNumber("lora_dropout", 0.0);
        WriteNames(json, "modules_to_save", adapter.SavedModules.Select(module => module.Name));
        json.WriteString("peft_type", "LORA");
        json.WriteNumber("r", usual.Rank);
        json.WriteStartObject("rank_pattern");
        foreach (var (module, setting) in patterns) json.WriteNumber(module, setting.Rank);
        json.WriteEndObject();
        json.WriteNull("revision");
        WriteNames(json, "target_modules", adapter.Factors.Select(factors => factors.Module));
        json.WriteNull("task_type");
        json.WriteBoolean("use_dora", adapter.Factors.Any(factors => factors.Magnitude is not null));
        json.WriteBoolean("use_rslora", false);
        json.WriteEndObject();
    }

    private static void WriteNames(Utf8JsonWriter json, string field, IEnumerable<string> names)
    {
        json.WriteStartArray(field);
        foreach (string name in names) json.WriteStringValue(name);
        json.WriteEndArray();
    }

    private static void WriteNumber(Utf8JsonWriter json, string name, double value)
    {
        if (value == Math.Floor(value) && Math.Abs(value) < 1L << 53) json.WriteNumber(name, (long)value);
        else json.WriteNumber(name, value);
    }
}
