namespace LoraKernels;

/// <summary>What a sum of adapters has in one module.</summary>
/// <param name="Name">The module.</param>
/// <param name="Terms">Updates, each with its weight · scale, in the order of the adapters.</param>
internal sealed record ModuleTerms(string Name, IReadOnlyList<(LoraFactors Factors, float Factor)> Terms);

/// <summary>A weighted sum of adapters, checked and sorted by module.</summary>
internal sealed record AdapterTerms(IReadOnlyList<ModuleTerms> Modules, string? BaseModel)
{
    /// <exception cref="ArgumentException">What cannot be added up, by name.</exception>
    public static AdapterTerms Of(IReadOnlyList<WeightedAdapter> adapters, bool allowBias)
    {
        ArgumentNullException.ThrowIfNull(adapters);
        if (adapters.Count == 0)
            throw new ArgumentException("there are no adapters", nameof(adapters));
        foreach ((LoraAdapter adapter, float weight) in adapters)
        {
            if (!float.IsFinite(weight))
                throw new ArgumentException($"the weight of '{adapter.Name}' is {weight}; it must be finite", nameof(adapters));
            if (adapter.SavedModules.Count > 0)
            {
                throw new ArgumentException(
                    $"'{adapter.Name}' replaces '{adapter.SavedModules[0].Name}' in full, which does not add up", nameof(adapters));
            }
            if (adapter.Factors.FirstOrDefault(f => f.Magnitude is not null || (!allowBias && f.Bias is not null)) is { } other)
            {
                throw new ArgumentException(
                    $"'{adapter.Name}' has {(other.Magnitude is null ? "a bias" : "DoRA's magnitudes")} in '{other.Module}', which "
                    + "PEFT does not define for a combination",
                    nameof(adapters));
            }
        }
        ModuleTerms[] modules = [.. adapters
            .SelectMany(weighted => weighted.Adapter.Factors.Select(factors => (Factors: factors, weighted.Weight)))
            .GroupBy(term => term.Factors.Module)
            .Select(group => new ModuleTerms(group.Key, [.. group.Select(t => (t.Factors, t.Weight * t.Factors.Scale))]))];
        foreach (ModuleTerms module in modules)
            RequireOneShape(module);
        string?[] bases = [.. adapters.Select(weighted => weighted.Adapter.BaseModel).Distinct()];
        return new AdapterTerms(modules, bases.Length == 1 ? bases[0] : null);
    }

    private static void RequireOneShape(ModuleTerms module)
    {
        LoraFactors first = module.Terms[0].Factors;
        foreach ((LoraFactors factors, _) in module.Terms)
        {
            if (factors.A.Columns == first.A.Columns && factors.B.Rows == first.B.Rows)
                continue;
            throw new ArgumentException(
                $"'{module.Name}' is [{first.B.Rows}, {first.A.Columns}] in one adapter and [{factors.B.Rows}, "
                + $"{factors.A.Columns}] in another",
                nameof(module));
        }
    }
}
