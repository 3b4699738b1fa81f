using System.Collections.Frozen;

namespace LoraKernels.Serving;

/// <summary>
/// What a row with an adapter takes of a batch's rank tiles: those of the adapter's widest module. Modules' names
/// become indices once.
/// </summary>
internal sealed class RankTiles
{
    private const long TileRanks = 8;

    private readonly FrozenDictionary<string, (int Module, int Slices)> _modules;
    private readonly IReadOnlyCollection<string> _elsewhere;

    public RankTiles(IReadOnlyList<LoraModule> modules, AdapterOptions options)
    {
        var byName = new Dictionary<string, (int Module, int Slices)>(StringComparer.Ordinal);
        for (int i = 0; i < modules.Count; i++)
        {
            // An update of a fused module is divided among its slices, each with all of its ranks.
            byName.Add(modules[i].Name, (i, Math.Max(1, modules[i].Slices.Count)));
            foreach (OutputSlice slice in modules[i].Slices)
                byName.Add(slice.Name, (i, 1));
        }
        _modules = byName.ToFrozenDictionary(StringComparer.Ordinal);
        _elsewhere = options.AppliedElsewhere;
    }

    public long Of(LoraAdapter adapter)
    {
        var tiles = new Dictionary<int, long>();
        foreach (LoraFactors factors in adapter.Factors)
            Add(factors.Module, factors.Rank);
        foreach (SavedModule module in adapter.SavedModules)
            Add(module.Name, Math.Min(module.Weight.Rows, module.Weight.Columns));
        return tiles.Count == 0 ? 0 : tiles.Values.Max();

        void Add(string name, long rank)
        {
            if (_elsewhere.Contains(name) || !_modules.TryGetValue(name, out (int Module, int Slices) found))
                return;
            tiles[found.Module] = tiles.GetValueOrDefault(found.Module)
                + found.Slices * ((rank + TileRanks - 1) / TileRanks);
        }
    }
}
