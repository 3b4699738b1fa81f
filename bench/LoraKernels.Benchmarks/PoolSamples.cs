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

/// <summary>A device that takes everything and does nothing.</summary>
internal sealed class NoDevice : IPoolDevice
{
    private long _lastId;

    public AdapterShape Inspect(LoraAdapter adapter) => new(adapter.Bytes, 1);

    public IStoredAdapter Upload(LoraAdapter adapter) => new Stored(Interlocked.Increment(ref _lastId));

    public IStepPlan CreatePlan(LoraBatchCapacity capacity, DeviceStream? stream) => new Plan();

    public void Dispose()
    {
    }

    private sealed record Stored(long Id) : IStoredAdapter
    {
        public void Remove()
        {
        }
    }

    private sealed class Plan : IStepPlan
    {
        public LoraBatch Batch => throw new NotSupportedException("there is no device");

        public void Set(
            long rows, ReadOnlySpan<long> rowOffsets, ReadOnlySpan<long> ids, ReadOnlySpan<float> weights,
            DeviceStream? stream)
        {
        }

        public void Dispose()
        {
        }
    }
}
