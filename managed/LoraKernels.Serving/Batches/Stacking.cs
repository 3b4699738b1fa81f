namespace LoraKernels.Serving;

/// <summary>Which adapters on one row have a defined sum; see <see cref="AdapterStackingException"/>.</summary>
internal static class Stacking
{
    /// <summary>What is not defined about a row's adapters, all of which were read; null where all is.</summary>
    public static string? Objection(ReadOnlySpan<RowAdapter> terms)
    {
        PooledAdapter? replacing = null;
        for (int i = 0; i < terms.Length; i++)
        {
            if (terms[i].Adapter is not { Shape.Rescales: true } adapter)
                continue;
            if (terms[i].Weight != 1)
            {
                return $"'{adapter.Name}' {What(adapter)} and has the weight {terms[i].Weight}; only 1 is defined";
            }
            for (int before = 0; before < i; before++)
            {
                if (ReferenceEquals(terms[before].Adapter, adapter))
                    return $"'{adapter.Name}' {What(adapter)} and is on the row twice";
            }
            if (!adapter.Shape.ReplacesLayers)
                continue;
            if (replacing is not null)
                return $"'{replacing.Name}' and '{adapter.Name}' both replace layers, which takes one adapter at a time";
            replacing = adapter;
        }
        return null;
    }

    private static string What(PooledAdapter adapter) =>
        adapter.Shape!.IsDora ? "has DoRA's magnitudes" : "replaces a layer";
}
