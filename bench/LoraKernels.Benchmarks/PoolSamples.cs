using LoraKernels.Serving;

namespace LoraKernels.Benchmarks;

/// <summary>Adapters of rank 8 for one layer.</summary>
internal static class PoolSamples
{
    public const string Module = "layer";
    public const long Small = 16;
    public const long Large = 1024;

    private const int Rank = 8;

    /// <summary>Loads so many, one after the other in memory.</summary>
    public static PooledAdapter[] Load(AdapterPool pool, int count, long features)
    {
        Half[] values = Array.ConvertAll(SampleWeights.Values(Rank * features, 0.02f), static value => (Half)value);
        HostMatrix a = HostMatrix.From(values, Rank, features), b = HostMatrix.From(values, features, Rank);
        return [.. Enumerable.Range(0, count).Select(i => pool.LoadAsync(
            $"{i}", AdapterSource.FromMemory(new LoraAdapter($"{i}", [new LoraFactors(Module, a, b, 1)]))).Result)];
    }
}
