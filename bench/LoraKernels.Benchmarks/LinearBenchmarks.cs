using BenchmarkDotNet.Attributes;

namespace LoraKernels.Benchmarks;

/// <summary>y = x · Wᵀ on a 4096 × 4096 weight, x in fp16.</summary>
public class LinearBenchmarks
{
    private Device _device = null!;
    private QuantizedWeight _weight = null!;
    private Linear _linear = null!;
    private DeviceTensor<Half> _x = null!;
    private DeviceTensor<Half> _y = null!;

    /// <summary>How the weight is stored.</summary>
    [ParamsAllValues]
    public SampleFormat Format { get; set; }

    /// <summary>Rows of x.</summary>
    [Params(1, 4, 32, 128)]
    public int M { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = Device.Open();
        _weight = SampleWeights.Create(_device, Format);
        _linear = new Linear(_weight);
        _x = _device.Upload<Half>(
            Array.ConvertAll(SampleWeights.Values(M * SampleWeights.Features, 1), static value => (Half)value),
            M,
            SampleWeights.Features);
        _y = _device.Allocate<Half>(M, SampleWeights.Features);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _y.Dispose();
        _x.Dispose();
        _weight.Dispose();
        _device.Dispose();
    }

    [Benchmark]
    public void Forward()
    {
        _linear.Forward(_x, _y);
        _device.DefaultStream.Synchronize();
    }
}
