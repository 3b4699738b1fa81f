using System.Collections.Frozen;

namespace LoraKernels.Native;

/// <summary>What an adapter's name for a layer means: a module of the table and one of its slices.</summary>
/// <param name="Module">Index in the table's modules.</param>
/// <param name="Slice">Index in the module's slices; 0 for a plain module.</param>
/// <param name="InFeatures">K of the module.</param>
/// <param name="OutFeatures">Columns of the slice, or N of the plain module.</param>
internal readonly record struct ModulePart(int Module, int Slice, long InFeatures, long OutFeatures);

/// <summary>The names of a table: a layer's own, by which ops find it, and those by which adapters do.</summary>
internal sealed class ModuleNames
{
    private const int MaxListed = 20;

    private readonly LoraModule[] _modules;
    private readonly FrozenDictionary<string, int> _modulesByName;
    private readonly FrozenDictionary<string, ModulePart> _partsByName;

    public ModuleNames(LoraModule[] modules)
    {
        var modulesByName = new Dictionary<string, int>(StringComparer.Ordinal);
        var partsByName = new Dictionary<string, ModulePart>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < modules.Length; i++)
        {
            LoraModule module = modules[i]
                ?? throw new ArgumentException($"modules[{i}] is null", nameof(modules));
            AddOnce(names, module.Name, nameof(modules));
            modulesByName.Add(module.Name, i);
            if (module.Slices.Count == 0)
                partsByName.Add(module.Name, new ModulePart(i, 0, module.InFeatures, module.OutFeatures));
            for (int s = 0; s < module.Slices.Count; s++)
            {
                OutputSlice slice = module.Slices[s];
                AddOnce(names, slice.Name, nameof(modules));
                partsByName.Add(slice.Name, new ModulePart(i, s, module.InFeatures, slice.Size));
            }
        }
        _modules = modules;
        _modulesByName = modulesByName.ToFrozenDictionary(StringComparer.Ordinal);
        _partsByName = partsByName.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>
    /// What an adapter's name means: a part, or all slices of a fused layer where they are all of it, so that an adapter of
    /// the fused layer is divided among them. Empty where it means nothing here.
    /// </summary>
    /// <param name="name">An adapter's name for a layer.</param>
    /// <param name="outFeatures">Of the whole.</param>
    public IReadOnlyList<(ModulePart Part, long FirstRow)> FindParts(string name, out long outFeatures)
    {
        if (_partsByName.TryGetValue(name, out ModulePart part))
        {
            outFeatures = part.OutFeatures;
            return [(part, 0)];
        }
        outFeatures = 0;
        if (!_modulesByName.TryGetValue(name, out int index)) return [];
        LoraModule module = _modules[index];
        outFeatures = module.OutFeatures;
        if (module.Slices.Sum(slice => slice.Size) != outFeatures) return [];
        return [.. module.Slices.Select((slice, s) =>
            (new ModulePart(index, s, module.InFeatures, slice.Size), slice.Offset))];
    }

    /// <summary>The layer that a part belongs to.</summary>
    public LoraModule ModuleOf(ModulePart part) => _modules[part.Module];

    /// <summary>Where a part begins among its layer's columns.</summary>
    public long FirstColumn(ModulePart part)
    {
        LoraModule module = ModuleOf(part);
        return module.Slices.Count == 0 ? 0 : module.Slices[part.Slice].Offset;
    }

    /// <summary>Why adapters cannot name this, with the name that was probably meant.</summary>
    public string ExplainUnknownPart(string name)
    {
        if (_modulesByName.TryGetValue(name, out int fused))
        {
            string parts = string.Join(", ", _modules[fused].Slices.Select(slice => $"'{slice.Name}'"));
            return $"module '{name}' is fused and has columns outside of its slices; adapters name the slices: {parts}";
        }
        // A prefix too many or too few is the usual cause.
        string[] similar = [.. _partsByName.Keys.Where(known =>
            known.EndsWith($".{name}", StringComparison.Ordinal)
            || name.EndsWith($".{known}", StringComparison.Ordinal))];
        return $"module '{name}' is not in the table"
            + (similar.Length == 1 ? $" (which has '{similar[0]}')" : "");
    }

    public bool TryFindModule(string name, out int index) => _modulesByName.TryGetValue(name, out index);

    /// <summary>Why operations cannot name this, with the modules that they can.</summary>
    public string ExplainUnknownModule(string name)
    {
        if (_partsByName.TryGetValue(name, out ModulePart part))
        {
            return $"'{name}' is slice {part.Slice} of the fused module '{_modules[part.Module].Name}'; operations "
                + "name the module";
        }
        string listed = _modules.Length == 0
            ? "none"
            : string.Join(", ", _modules.Take(MaxListed).Select(known => $"'{known.Name}'"));
        string more = _modules.Length > MaxListed ? $" and {_modules.Length - MaxListed} more" : "";
        return $"the table has no module '{name}'; it has {listed}{more}";
    }

    private static void AddOnce(HashSet<string> names, string name, string argument)
    {
        if (!names.Add(name))
            throw new ArgumentException($"the name '{name}' occurs twice among modules and slices", argument);
    }
}
