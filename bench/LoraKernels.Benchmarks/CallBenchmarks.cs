using BenchmarkDotNet.Attributes;

namespace LoraKernels.Benchmarks;

/// <summary>What a call costs before any arithmetic: operations on empty batches, and the allocations they make.</summary>
public class CallBenchmarks
{
    private const string Module = "small";
    private const long Features = 64;

    private Device _device = null!;
    private LoraTable _table = null!;
    private LoraBatch _batch = null!;
    private LoadedAdapter _adapter = null!;
    private QuantizedWeight _weight = null!;
    private Linear _linear = null!;
    private DeviceTensor<float> _empty = null!;
    private LoadedAdapter?[] _row = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = Device.Open();
        using DeviceTensor<float> values = _device.Upload<float>(
            SampleWeights.Values(Features * Features, 1), Features, Features);
        _weight = QuantizedWeight.Quantize(values);
        _linear = new Linear(_weight, Module);
        _table = new LoraTable(_device, [new LoraModule(Module, Features, Features)]);
        HostMatrix factor = HostMatrix.From(SampleWeights.Values(Features, 1), 1, Features);
        _adapter = _table.Add(new LoraAdapter("one", [new LoraFactors(
            Module, factor, HostMatrix.From(SampleWeights.Values(Features, 1), Features, 1), 1)]));
        _batch = _table.CreateBatch(LoraBatchCapacity.ForRows(1, 1));
        _row = [_adapter];
        _empty = _device.Allocate<float>(0, Features);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _empty.Dispose();
        _batch.Dispose();
        _adapter.Dispose();
        _table.Dispose();
        _weight.Dispose();
        _device.Dispose();
    }

    /// <summary>A linear of no rows: arguments are checked, nothing is computed.</summary>
    [Benchmark]
    public void LinearOfNoRows() => _linear.Forward(_empty, _empty);

    /// <summary>A batch's plan for one row.</summary>
    [Benchmark]
    public void PlanOfOneRow() => _batch.Set(_row);
}
