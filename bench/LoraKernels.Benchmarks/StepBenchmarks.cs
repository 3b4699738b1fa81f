using BenchmarkDotNet.Attributes;
using LoraKernels.Serving;

namespace LoraKernels.Benchmarks;

/// <summary>Setting a step of 256 rows with 1,000 adapters resident: alone, and with the plan on the device.</summary>
public class StepBenchmarks
{
    private const int Rows = 256;
    private const int Resident = 1000;
    private const int Step = 7;

    private Device _device = null!;
    private AdapterPool _pool = null!;
    private AdapterPool _books = null!;
    private PoolBatch _batch = null!;
    private PoolBatch _booksBatch = null!;
    private PooledAdapter[] _adapters = null!;
    private PooledAdapter[] _booksAdapters = null!;
    private int _first;

    /// <summary>How many of the rows have an adapter that no other row has.</summary>
    [Params(16, 256)]
    public int Distinct { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = Device.Open();
        var options = new AdapterPoolOptions { DeviceBytes = 1L << 30 };
        LoraModule module = new(PoolSamples.Module, PoolSamples.Small, PoolSamples.Small);
        _pool = new AdapterPool(_device, [module], options);
        _books = new AdapterPool(new NoDevice(), options);
        _adapters = PoolSamples.Load(_pool, Resident, PoolSamples.Small);
        _booksAdapters = PoolSamples.Load(_books, Resident, PoolSamples.Small);
        _batch = _pool.CreateBatch(LoraBatchCapacity.ForRows(Rows, 8));
        _booksBatch = _books.CreateBatch(LoraBatchCapacity.ForRows(Rows, 8));
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _booksBatch.Dispose();
        _batch.Dispose();
        _books.Dispose();
        _pool.Dispose();
        _device.Dispose();
    }

    /// <summary>The pool's own part: leases, order, room, and the rows laid out.</summary>
    [Benchmark]
    public StepResult Books() => Set(_booksBatch, _booksAdapters);

    /// <summary>All of it.</summary>
    [Benchmark]
    public StepResult WithPlan() => Set(_batch, _adapters);

    // Other adapters every time: rows come and go.
    private StepResult Set(PoolBatch batch, PooledAdapter[] adapters)
    {
        _first = (_first + Step) % Resident;
        batch.Clear();
        for (int row = 0; row < Rows; row++)
            batch.Add(adapters[(_first + row % Distinct) % Resident]);
        return batch.Set();
    }
}
