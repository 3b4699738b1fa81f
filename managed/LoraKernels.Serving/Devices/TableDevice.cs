using System.Collections.Concurrent;

namespace LoraKernels.Serving;

/// <summary>
/// A <see cref="LoraTable"/> as the pool's device, with copy streams of its own for the threads that load.
/// </summary>
internal sealed class TableDevice : IPoolDevice
{
    private readonly LoraTable _table;
    private readonly AdapterOptions _options;
    private readonly Func<DeviceStream> _createStream;
    private readonly ConcurrentBag<DeviceStream> _streams = [];
    private readonly RankTiles _tiles;
    private volatile bool _isDisposed;

    /// <param name="table">Disposed with this.</param>
    /// <param name="options">Of every adapter.</param>
    /// <param name="createStream">A stream for a thread that loads.</param>
    public TableDevice(LoraTable table, AdapterOptions options, Func<DeviceStream> createStream)
    {
        _table = table;
        _options = options;
        _createStream = createStream;
        _tiles = new RankTiles(table.Modules, options);
    }

    public AdapterShape Inspect(LoraAdapter adapter)
    {
        long bytes = _table.Measure(adapter, _options);
        return new AdapterShape(
            bytes, _tiles.Of(adapter),
            IsDora: adapter.Factors.Any(factors => factors.Magnitude is not null && !IsElsewhere(factors.Module)),
            ReplacesLayers: adapter.SavedModules.Any(module => !IsElsewhere(module.Name)));
    }

    public IStoredAdapter Upload(LoraAdapter adapter)
    {
        if (!_streams.TryTake(out DeviceStream? stream))
            stream = _createStream();
        try
        {
            return new Stored(_table.Add(adapter, _options, stream));
        }
        finally
        {
            _streams.Add(stream);
            if (_isDisposed)
                DisposeStreams();
        }
    }

    public IStepPlan CreatePlan(LoraBatchCapacity capacity, DeviceStream? stream) =>
        new Plan(_table.CreateBatch(capacity, stream));

    public void Dispose()
    {
        _isDisposed = true;
        _table.Dispose();
        DisposeStreams();
    }

    private bool IsElsewhere(string module) => _options.AppliedElsewhere.Contains(module);

    private void DisposeStreams()
    {
        while (_streams.TryTake(out DeviceStream? stream))
            stream.Dispose();
    }

    private sealed class Stored(LoadedAdapter adapter) : IStoredAdapter
    {
        public long Id => adapter.Id;

        public void Remove() => adapter.Dispose();
    }

    private sealed class Plan(LoraBatch batch) : IStepPlan
    {
        public LoraBatch Batch => batch;

        public void Set(
            long rows, ReadOnlySpan<long> rowOffsets, ReadOnlySpan<long> ids, ReadOnlySpan<float> weights,
            DeviceStream? stream) => batch.Set(rows, rowOffsets, ids, weights, stream);

        public void Dispose() => batch.Dispose();
    }
}
