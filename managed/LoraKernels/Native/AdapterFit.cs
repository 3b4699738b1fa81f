using System.Diagnostics.CodeAnalysis;
using LoraKernels.Interop;

namespace LoraKernels.Native;

/// <summary>Whether an adapter fits a table, in full.</summary>
internal sealed class AdapterFit
{
    private readonly ModuleNames _names;
    private readonly AdapterOptions _options;
    private readonly List<string> _mismatches = [];
    private readonly List<FittedUpdate> _updates = [];
    private readonly HashSet<(int Module, int Slice)> _seen = [];

    private AdapterFit(ModuleNames names, AdapterOptions options)
    {
        _names = names;
        _options = options;
    }

    /// <summary>The parts of the table that the adapter changes.</summary>
    /// <exception cref="AdapterMismatchException">Lists everything that does not fit.</exception>
    public static IReadOnlyList<FittedUpdate> Match(
        LoraAdapter adapter, ModuleNames names, string? baseModel, AdapterOptions options)
    {
        var fit = new AdapterFit(names, options);
        if (IsStated(adapter.BaseModel) && IsStated(baseModel) && !IsSameModel(adapter.BaseModel, baseModel))
            fit._mismatches.Add($"its base model is '{adapter.BaseModel}', the table's is '{baseModel}'");
        foreach (LoraFactors factors in adapter.Factors)
            fit.Match(factors);
        foreach (SavedModule module in adapter.SavedModules)
            fit.Match(module);
        return fit._mismatches.Count == 0 ? fit._updates : throw new AdapterMismatchException(adapter.Name, fit._mismatches);
    }

    private void Match(LoraFactors factors)
    {
        if (_options.AppliedElsewhere.Contains(factors.Module))
            return;
        IReadOnlyList<(ModulePart Part, long FirstRow)> parts = _names.FindParts(factors.Module, out long outFeatures);
        if (parts.Count == 0)
        {
            _mismatches.Add(_names.ExplainUnknownPart(factors.Module));
            return;
        }
        foreach ((ModulePart part, long firstRow) in parts)
        {
            if (!_seen.Add((part.Module, part.Slice)))
            {
                _mismatches.Add($"module '{factors.Module}' occurs more than once");
                break;
            }
        }
        CheckShape(factors, parts[0].Part.InFeatures, outFeatures);
        if (factors.Magnitude is not null)
            CheckBaseWeight(factors, parts[0].Part);
        _updates.AddRange(parts.Select(part => new FittedUpdate(factors, part.Part, part.FirstRow)));
    }

    private void Match(SavedModule module)
    {
        if (_options.AppliedElsewhere.Contains(module.Name))
            return;
        IReadOnlyList<(ModulePart Part, long FirstRow)> parts = _names.FindParts(module.Name, out _);
        if (parts.Count == 1 && module.Replacement() is { } replacement)
        {
            Match(replacement);
            return;
        }
        _mismatches.Add(
            $"module '{module.Name}' was trained in full, [{module.Weight.Rows}, {module.Weight.Columns}]"
            + (module.Bias is null ? "" : " and a bias")
            + (parts.Count == 0 ? ", and is not in the table" : $"; a table applies one without a bias up to a width of {NativeMethods.LK_LORA_MAX_RANK}")
            + $"; give it to the layer and name it in {nameof(AdapterOptions)}.{nameof(AdapterOptions.AppliedElsewhere)}");
    }

    /// <summary>DoRA's norms are those of the base's weight.</summary>
    private void CheckBaseWeight(LoraFactors factors, ModulePart part)
    {
        LoraModule module = _names.ModuleOf(part);
        QuantizedWeight? weight = _options.BaseWeight?.Invoke(module.Name);
        if (weight is null)
        {
            _mismatches.Add($"module '{factors.Module}' has DoRA's magnitudes, whose norms need the weight of '{module.Name}': "
                + $"give it by {nameof(AdapterOptions)}.{nameof(AdapterOptions.BaseWeight)}");
        }
        else if (weight.OutFeatures != module.OutFeatures || weight.InFeatures != module.InFeatures)
        {
            _mismatches.Add($"module '{module.Name}' is [{module.OutFeatures}, {module.InFeatures}], the weight given for it "
                + $"[{weight.OutFeatures}, {weight.InFeatures}]");
        }
    }

    private void CheckShape(LoraFactors factors, long inFeatures, long outFeatures)
    {
        if (factors.A.Columns != inFeatures)
        {
            _mismatches.Add($"module '{factors.Module}' has {inFeatures} input features, the adapter's A "
                + $"[{factors.A.Rows}, {factors.A.Columns}] has {factors.A.Columns}");
        }
        if (factors.B.Rows != outFeatures)
        {
            _mismatches.Add($"module '{factors.Module}' has {outFeatures} output features, the adapter's B "
                + $"[{factors.B.Rows}, {factors.B.Columns}] has {factors.B.Rows}");
        }
        if (factors.Rank is < 1 or > NativeMethods.LK_LORA_MAX_RANK)
        {
            _mismatches.Add($"module '{factors.Module}' has rank {factors.Rank} in the adapter; allowed are 1 … "
                + $"{NativeMethods.LK_LORA_MAX_RANK}");
        }
    }

    /// <summary>Compares the last parts of two model paths, ignoring case.</summary>
    private static bool IsSameModel(string left, string right) =>
        LastPart(left).Equals(LastPart(right), StringComparison.OrdinalIgnoreCase);

    // Training tools write an empty name where they know none.
    private static bool IsStated([NotNullWhen(true)] string? model) => !string.IsNullOrWhiteSpace(model);

    private static ReadOnlySpan<char> LastPart(string path)
    {
        ReadOnlySpan<char> trimmed = path.AsSpan().Trim().TrimEnd("/\\");
        return trimmed[(trimmed.LastIndexOfAny('/', '\\') + 1)..];
    }
}
