using BenchmarkDotNet.Attributes;

namespace LoraKernels.Benchmarks;

/// <summary>How the rows of a batch are spread over the adapters.</summary>
public enum Distribution
{
    /// <summary>Every row another adapter.</summary>
    Distinct,

    /// <summary>Adapters drawn at random, all equally popular; as many as the square root of the rows.</summary>
    Uniform,

    /// <summary>Adapters drawn at random, the k-th most popular with probability 1 / k.</summary>
    Zipf,

    /// <summary>Every row the same adapter.</summary>
    Identical,
}

/// <summary>y += the adapters' updates of x on a 4096 × 4096 linear: 32 rows of fp16, the plan made before.</summary>
public class LoraBenchmarks
{
    private const string Module = "q_proj";
    private const int Rows = 32;
    private const int HalfBytes = 2;

    private readonly List<LoadedAdapter> _adapters = [];
    private Device _device = null!;
    private LoraTable _table = null!;
    private LoraBatch _batch = null!;
    private DeviceTensor<Half> _x = null!;
    private DeviceTensor<Half> _y = null!;

    /// <summary>Which rows have which adapter.</summary>
    [ParamsAllValues]
    public Distribution Distribution { get; set; }

    /// <summary>Of every adapter.</summary>
    [Params(8, 16, 64)]
    public int Rank { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        const long Features = SampleWeights.Features;
        _device = Device.Open();
        _table = new LoraTable(_device, [new LoraModule(Module, Features, Features)]);

        Half[] factor = Array.ConvertAll(SampleWeights.Values(Rank * Features, 0.02f), static value => (Half)value);
        HostMatrix a = HostMatrix.From(factor, Rank, Features), b = HostMatrix.From(factor, Features, Rank);
        for (int i = 0; i < Rows; i++)
            _adapters.Add(_table.Add(new LoraAdapter($"adapter {i}", [new LoraFactors(Module, a, b, 1)])));

        _batch = _table.CreateBatch(LoraBatchCapacity.ForRows(Rows, Rank));
        _batch.Set([.. Assign(Distribution).Select(adapter => _adapters[adapter])]);
        _x = _device.Upload<Half>(
            Array.ConvertAll(SampleWeights.Values(Rows * Features, 1), static value => (Half)value), Rows, Features);
        _y = _device.Upload<Half>(new Half[Rows * Features], Rows, Features);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _y.Dispose();
        _x.Dispose();
        _batch.Dispose();
        _adapters.ForEach(static adapter => adapter.Dispose());
        _adapters.Clear();
        _table.Dispose();
        _device.Dispose();
    }

    [Benchmark]
    public void Apply()
    {
        Kernels.LoraApply(_x, _batch, Module, _y);
        _device.DefaultStream.Synchronize();
    }

    /// <summary>Bytes of the different adapters that the rows have.</summary>
    internal static long AdapterBytes(Distribution distribution, int rank) =>
        Assign(distribution).Distinct().Count() * 2L * rank * SampleWeights.Features * HalfBytes;

    private static IEnumerable<int> Assign(Distribution distribution)
    {
        Random random = new(1);
        int few = (int)Math.Sqrt(Rows);
        double[] shares = [.. Enumerable.Range(1, Rows).Select(static k => 1.0 / k)];
        return Enumerable.Range(0, Rows).Select(row => distribution switch
        {
            Distribution.Distinct => row,
            Distribution.Uniform => random.Next(few),
            Distribution.Zipf => Draw(shares, random.NextDouble() * shares.Sum()),
            _ => 0,
        });
    }

    private static int Draw(double[] shares, double point)
    {
        int drawn = 0;
        while (drawn < shares.Length - 1 && (point -= shares[drawn]) > 0)
            drawn++;
        return drawn;
    }
}
