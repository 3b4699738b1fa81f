using System.Collections.Frozen;
using System.Text.Json;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// <c>adapter_config.json</c>, as far as it decides what the adapter computes. Every field is either understood, or known
/// to matter only for training, or it must be unset: an adapter is never applied in part.
/// </summary>
internal sealed class PeftConfig
{
    public const string FileName = "adapter_config.json";

    private const long MaxBytes = 16 << 20;
    private const int MaxRegularExpressions = 64;

    /// <summary>Fields that change nothing about a trained adapter's output.</summary>
    private static readonly FrozenSet<string> WithoutEffect = FrozenSet.ToFrozenSet(
    [
        "task_type", "inference_mode", "auto_mapping", "revision", "peft_version", "lora_dropout", "target_modules",
        "exclude_modules", "layers_to_transform", "layers_pattern", "megatron_config", "megatron_core", "loftq_config",
        "eva_config", "corda_config", "lora_ga_config", "runtime_config", "qalora_group_size", "ensure_weight_tying",
        // A and B of a Conv1D are those of the linear with the same features; only the base's own weight lies transposed.
        "fan_in_fan_out",
        // What was saved is seen from the tensors.
        "modules_to_save",
    ]);

    /// <summary>Initializations that leave the base model's weights as they are.</summary>
    private static readonly string[] InitsOnTheBase = ["gaussian", "eva", "orthogonal"];

    private readonly string _file;
    private readonly List<(PeftPattern Pattern, double Value)> _ranks = [];
    private readonly List<(PeftPattern Pattern, double Value)> _alphas = [];
    private double _rank = 8;
    private double _alpha = 8;
    private bool _rankStabilized;
    private int _expressions;

    private PeftConfig(string file) => _file = file;

    /// <summary><c>base_model_name_or_path</c>, or null.</summary>
    public string? BaseModel { get; private set; }

    /// <summary>Whether B has a bias in every module (<c>lora_bias</c>).</summary>
    public bool HasBias { get; private set; }

    /// <summary>Whether every linear has a magnitude (<c>use_dora</c>).</summary>
    public bool UsesDora { get; private set; }

    /// <summary>
    /// <c>target_parameters</c>: parameters inside of modules, such as the stacked weights of experts, by the end of their names
    /// (<c>mlp.experts.down_proj</c>).
    /// </summary>
    public IReadOnlyList<string> TargetParameters { get; private set; } = [];

    public static PeftConfig Read(string path)
    {
        using var json = JsonFile.Read(path, MaxBytes);
        var config = new PeftConfig(path);
        if (!json.RootElement.TryGetProperty("peft_type", out _))
            throw config.Error("peft_type", "is missing; expected 'LORA'");
        foreach (var field in json.RootElement.EnumerateObject()) config.ReadField(field.Name, field.Value);
        if (config.HasBias && config.UsesDora)
            throw config.Error("lora_bias", "is true with use_dora: true, which PEFT does not define");
        if (config.TargetParameters.Count > 0 && (config.HasBias || config.UsesDora))
        {
            throw config.Error("target_parameters",
                $"are there with {(config.HasBias ? "lora_bias" : "use_dora")}: true, which PEFT does not define");
        }
        return config;
    }

    /// <summary>The rank that the configuration gives a module: the first pattern that matches, or r.</summary>
    public double RankOf(string module) => First(_ranks, module, _rank);

    /// <summary>Those of a module's own parameters that <see cref="TargetParameters"/> name.</summary>
    public string[] ParametersOf(string module) =>
    [
        .. TargetParameters
            .Where(target => $".{module}".EndsWith($".{target[..target.LastIndexOf('.')]}", StringComparison.Ordinal))
            .Select(target => target[(target.LastIndexOf('.') + 1)..]).Distinct(StringComparer.Ordinal),
    ];

    /// <summary>What a module's update of a given rank is multiplied by.</summary>
    public float ScaleOf(string module, long rank)
    {
        double alpha = First(_alphas, module, _alpha);
        float scale = (float)(alpha / (_rankStabilized ? Math.Sqrt(rank) : rank));
        return float.IsFinite(scale) ? scale
            : throw Error("lora_alpha", $"gives {CheckpointException.Quote(module)} a scale that is no finite number");
    }

    private static double First(List<(PeftPattern Pattern, double Value)> patterns, string module, double otherwise)
    {
        foreach (var (pattern, value) in patterns)
        {
            if (pattern.Matches(module)) return value;
        }
        return otherwise;
    }

    private void ReadField(string name, JsonElement value)
    {
        switch (name)
        {
            case "peft_type":
                Require(name, value, Is(value, "LORA"), "'LORA'");
                break;
            case "base_model_name_or_path":
                Require(name, value, value.ValueKind is JsonValueKind.String or JsonValueKind.Null, "a string or null");
                BaseModel = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
                if (BaseModel is { Length: 0 }) BaseModel = null;
                break;
            case "r":
                _rank = Rank(name, null, value);
                break;
            case "lora_alpha":
                _alpha = Number(name, null, value);
                break;
            case "rank_pattern":
                ReadPatterns(name, value, _ranks, Rank);
                break;
            case "alpha_pattern":
                ReadPatterns(name, value, _alphas, Number);
                break;
            case "use_rslora":
                _rankStabilized = Flag(name, value);
                break;
            case "use_dora":
                UsesDora = Flag(name, value);
                break;
            case "lora_bias":
                HasBias = Flag(name, value);
                break;
            case "target_parameters":
                ReadTargetParameters(name, value);
                break;
            case "bias":
                Require(name, value, Is(value, "none"), "'none' (changed biases of the base are not read)");
                break;
            case "init_lora_weights":
                bool known = value.ValueKind is JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null
                    || InitsOnTheBase.Any(init => Is(value, init));
                Require(name, value, known, "true, false, 'gaussian', 'eva' or 'orthogonal' (others such as 'pissa' "
                    + "change the base model's weights, so that the adapter does not fit the base as it is)");
                break;
            default:
                if (!WithoutEffect.Contains(name) && !IsUnset(value))
                {
                    throw Error(name, $"is {JsonFile.Describe(value)}, which changes what the adapter computes or is "
                        + "not known; only adapters without it can be read");
                }
                break;
        }
    }

    private void ReadTargetParameters(string name, JsonElement value)
    {
        if (IsUnset(value)) return;
        Require(name, value, value.ValueKind == JsonValueKind.Array, "a list of parameters' names");
        foreach (var entry in value.EnumerateArray())
        {
            // Without its module a parameter cannot be told from a module of that name.
            Require(name, entry, entry.ValueKind == JsonValueKind.String && entry.GetString()!.Split('.') is [_, .., not ""],
                "a parameter's name with its module's before it, such as 'mlp.experts.down_proj'");
        }
        TargetParameters = [.. value.EnumerateArray().Select(entry => entry.GetString()!).Distinct(StringComparer.Ordinal)];
    }

    private void ReadPatterns(
        string name, JsonElement value, List<(PeftPattern Pattern, double Value)> patterns,
        Func<string, string?, JsonElement, double> read)
    {
        if (value.ValueKind == JsonValueKind.Null) return;
        Require(name, value, value.ValueKind == JsonValueKind.Object, "an object of patterns and numbers");
        foreach (var entry in value.EnumerateObject())
        {
            string key = entry.Name;
            patterns.Add((ParsePattern(name, key), read(name, key, entry.Value)));
        }
    }

    private PeftPattern ParsePattern(string name, string key)
    {
        try
        {
            var pattern = PeftPattern.Parse(key);
            if (pattern.IsName || ++_expressions <= MaxRegularExpressions) return pattern;
        }
        catch (FormatException e)
        {
            throw new CheckpointException(_file, Subject(name, key), e.Message, e);
        }
        throw Error(Subject(name, key), $"is one of more than {MaxRegularExpressions} regular expressions; name modules plainly");
    }

    private bool Flag(string name, JsonElement value)
    {
        bool known = value.ValueKind is JsonValueKind.True or JsonValueKind.False or JsonValueKind.Null;
        Require(name, value, known, "true or false");
        return value.ValueKind == JsonValueKind.True;
    }

    private double Rank(string name, string? pattern, JsonElement value)
    {
        bool whole = value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int rank)
            && rank is >= 1 and <= PeftAdapter.MaxRank;
        if (!whole) throw NotAllowed(Subject(name, pattern), value, $"a whole number from 1 to {PeftAdapter.MaxRank}");
        return value.GetInt32();
    }

    private double Number(string name, string? pattern, JsonElement value)
    {
        double number = 0;
        bool finite = value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out number) && double.IsFinite(number);
        if (!finite) throw NotAllowed(Subject(name, pattern), value, "a finite number");
        return number;
    }

    private void Require(string name, JsonElement value, bool fulfilled, string allowed)
    {
        if (!fulfilled) throw NotAllowed(name, value, allowed);
    }

    private CheckpointException NotAllowed(string name, JsonElement value, string allowed) =>
        Error(name, $"is {JsonFile.Describe(value)}; allowed is {allowed}");

    private static string Subject(string name, string? pattern) => pattern is null ? name : $"{name}: {pattern}";

    private static bool Is(JsonElement value, string text) =>
        value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    private static bool IsUnset(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        JsonValueKind.String => value.ValueEquals(""),
        _ => false,
    };

    private CheckpointException Error(string? field, string reason) => new(_file, field, reason);
}
