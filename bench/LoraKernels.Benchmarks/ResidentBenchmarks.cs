using BenchmarkDotNet.Attributes;
using LoraKernels.Serving;

namespace LoraKernels.Benchmarks;

/// <summary>
/// A step of 32 rows with 8 different adapters of rank 8 on a 1024 × 1024 linear, while more and more are resident.
/// </summary>
public class ResidentBenchmarks
{
    private const int Rows = 32;
    private const int Distinct = 8;

    private Device _device = null!;
    private AdapterPool _pool = null!;
    private PoolBatch _batch = null!;
    private PooledAdapter[] _adapters = null!;
    private DeviceTensor<Half> _x = null!;
    private DeviceTensor<Half> _y = null!;

    /// <summary>How many adapters are on the device.</summary>
    [Params(10, 100, 1000)]
    public int Resident { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        const long Features = PoolSamples.Large;
        _device = Device.Open();
        _pool = new AdapterPool(
            _device, [new LoraModule(PoolSamples.Module, Features, Features)],
            new AdapterPoolOptions { DeviceBytes = 1L << 30 });
        _adapters = PoolSamples.Load(_pool, Resident, Features);
        _batch = _pool.CreateBatch(LoraBatchCapacity.ForRows(Rows, 8));
        Half[] values = Array.ConvertAll(SampleWeights.Values(Rows * Features, 1), static value => (Half)value);
        _x = _device.Upload<Half>(values, Rows, Features);
        _y = _device.Upload<Half>(new Half[Rows * Features], Rows, Features);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _y.Dispose();
        _x.Dispose();
        _batch.Dispose();
        _pool.Dispose();
        _device.Dispose();
    }

    [Benchmark]
    public void Step()
    {
        _batch.Clear();
        for (int row = 0; row < Rows; row++)
            _batch.Add(_adapters[row % Distinct * Resident / Distinct]);
        _batch.Set();
        Kernels.LoraApply(_x, _batch.Plan, PoolSamples.Module, _y);
        _device.DefaultStream.Synchronize();
    }
}
