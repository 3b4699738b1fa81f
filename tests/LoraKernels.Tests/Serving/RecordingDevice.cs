using LoraKernels.Serving;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// A device that remembers what lies on it and which plans name it, and fails when told to: on its own, or around a
/// real one. It counts by itself, so that the pool's books can be checked against it.
/// </summary>
internal sealed class RecordingDevice(IPoolDevice? inner = null, Faults? faults = null) : IPoolDevice
{
    private readonly Lock _lock = new();
    private readonly Dictionary<long, RecordedAdapter> _live = [];
    private long _lastId;

    public bool IsDisposed { get; private set; }

    public int Uploads { get; private set; }

    /// <summary>Whether plans remember nothing, which allocates.</summary>
    public bool IsQuiet { get; set; }

    /// <summary>Called by uploads before they do anything, on their thread.</summary>
    public Action<LoraAdapter>? OnUpload { get; set; }

    /// <summary>What was done that must not be.</summary>
    public List<string> Violations { get; } = [];

    public IReadOnlyList<RecordedAdapter> Live
    {
        get
        {
            lock (_lock)
                return [.. _live.Values];
        }
    }

    public long LiveBytes { get; private set; }

    public RecordedAdapter? Find(long id)
    {
        lock (_lock)
            return _live.GetValueOrDefault(id);
    }

    public AdapterShape Inspect(LoraAdapter adapter)
    {
        faults?.Pass();
        if (inner is not null)
            return inner.Inspect(adapter);
        string[] strangers =
            [.. adapter.Factors.Where(f => f.Module != TestAdapters.Module).Select(f => $"no module '{f.Module}'")];
        if (strangers.Length > 0)
            throw new AdapterMismatchException(adapter.Name, strangers);
        long rank = adapter.Factors.Count == 0 ? 5 : adapter.Factors.Max(f => f.Rank);
        return new AdapterShape(
            TestAdapters.Bytes((int)rank), (rank + 7) / 8,
            adapter.Factors.Any(f => f.Magnitude is not null), adapter.SavedModules.Count > 0);
    }

    public IStoredAdapter Upload(LoraAdapter adapter)
    {
        OnUpload?.Invoke(adapter);
        faults?.Pass();
        AdapterShape shape = inner?.Inspect(adapter) ?? Inspect(adapter);
        IStoredAdapter? stored = inner?.Upload(adapter);
        lock (_lock)
        {
            Uploads++;
            var recorded = new RecordedAdapter(this, stored?.Id ?? ++_lastId, adapter, shape, stored);
            if (!_live.TryAdd(recorded.Id, recorded))
                Violations.Add($"id {recorded.Id} twice");
            LiveBytes += shape.Bytes;
            return recorded;
        }
    }

    public IStepPlan CreatePlan(LoraBatchCapacity capacity, DeviceStream? stream)
    {
        faults?.Pass();
        return new RecordedPlan(this, inner?.CreatePlan(capacity, stream), faults);
    }

    public void Dispose()
    {
        IsDisposed = true;
        inner?.Dispose();
    }

    private void Remove(RecordedAdapter adapter)
    {
        lock (_lock)
        {
            if (!_live.Remove(adapter.Id))
                Violations.Add($"{adapter.Adapter.Name} removed twice");
            LiveBytes -= adapter.Shape.Bytes;
        }
    }

    /// <summary>An adapter on this device.</summary>
    internal sealed class RecordedAdapter(
        RecordingDevice device, long id, LoraAdapter adapter, AdapterShape shape, IStoredAdapter? inner) : IStoredAdapter
    {
        public long Id => id;

        public LoraAdapter Adapter => adapter;

        public AdapterShape Shape => shape;

        public void Remove()
        {
            device.Remove(this);
            inner?.Remove();
        }
    }

    /// <summary>A plan that remembers what it was set to, and reports ids that are not on the device.</summary>
    internal sealed class RecordedPlan(RecordingDevice device, IStepPlan? inner, Faults? faults) : IStepPlan
    {
        public LoraBatch Batch => inner?.Batch ?? throw new NotSupportedException("a device that only records");

        public long Rows { get; private set; }

        public long[] RowOffsets { get; private set; } = [0];

        public RecordedAdapter[] Entries { get; private set; } = [];

        public float[] Weights { get; private set; } = [];

        public static RecordedPlan Of(PoolBatch batch) => (RecordedPlan)batch.PlanOfDevice;

        public void Set(
            long rows, ReadOnlySpan<long> rowOffsets, ReadOnlySpan<long> ids, ReadOnlySpan<float> weights,
            DeviceStream? stream)
        {
            if (device.IsQuiet)
                return;
            faults?.Pass();
            inner?.Set(rows, rowOffsets, ids, weights, stream);
            var entries = new RecordedAdapter[ids.Length];
            for (int i = 0; i < entries.Length; i++)
            {
                if (device.Find(ids[i]) is not { } entry)
                {
                    device.Violations.Add($"a step names id {ids[i]}, which is not on the device");
                    throw new InvalidOperationException(device.Violations[^1]);
                }
                entries[i] = entry;
            }
            Rows = rows;
            RowOffsets = rowOffsets.ToArray();
            Entries = entries;
            Weights = weights.ToArray();
        }

        public void Dispose() => inner?.Dispose();
    }
}
