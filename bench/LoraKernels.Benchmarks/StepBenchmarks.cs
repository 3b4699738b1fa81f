using BenchmarkDotNet.Attributes;
using LoraKernels.Serving;

namespace LoraKernels.Benchmarks;

/// <summary>
/// Setting a step of 256 rows with 1,000 adapters resident: leases, order, room, the rows laid out, and the plan on the
/// device.
/// </summary>
public class StepBenchmarks
{
    private const int Rows = 256;
    private const int Resident = 1000;
    private const int Move = 7;

    private Device _device = null!;
    private AdapterPool _pool = null!;
    private PoolBatch _batch = null!;
    private PooledAdapter[] _adapters = null!;
    private int _first;

    /// <summary>How many different adapters the rows have.</summary>
    [Params(16, 256)]
    public int Distinct { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = Device.Open();
        LoraModule module = new(PoolSamples.Module, PoolSamples.Small, PoolSamples.Small);
        _pool = new AdapterPool(_device, [module], new AdapterPoolOptions { DeviceBytes = 1L << 30 });
        _adapters = PoolSamples.Load(_pool, Resident, PoolSamples.Small);
        _batch = _pool.CreateBatch(LoraBatchCapacity.ForRows(Rows, 8));
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _batch.Dispose();
        _pool.Dispose();
        _device.Dispose();
    }

    /// <summary>Other adapters every time: rows come and go.</summary>
    [Benchmark]
    public StepResult Set()
    {
        _first = (_first + Move) % Resident;
        _batch.Clear();
        for (int row = 0; row < Rows; row++)
            _batch.Add(_adapters[(_first + row % Distinct) % Resident]);
        return _batch.Set();
    }
}
