using BenchmarkDotNet.Attributes;

namespace LoraKernels.Benchmarks;

/// <summary>
/// What the plan of a step costs: as many rows as a server decodes at once, of a table with as many adapters as one holds.
/// </summary>
public class BatchBenchmarks
{
    private const int Rows = 256;
    private const int Adapters = 1000;
    private const int Steps = 16;
    private const int Features = 64;

    private Device _device = null!;
    private LoraTable _table = null!;
    private LoraBatch _batch = null!;
    private LoadedAdapter?[][] _steps = null!;
    private int _step;

    /// <summary>How many different adapters a step has.</summary>
    [Params(1, 64, 256)]
    public int Distinct { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = Device.Open();
        LoraModule[] modules = [.. Enumerable.Range(0, 7).Select(i => new LoraModule($"m{i}", Features, Features))];
        _table = new LoraTable(_device, modules);
        _batch = _table.CreateBatch(LoraBatchCapacity.ForRows(Rows, 16));
        var random = new Random(1);
        LoadedAdapter[] adapters = [.. Enumerable.Range(0, Adapters).Select(Add)];
        _steps = new LoadedAdapter?[Steps][];
        for (int step = 0; step < Steps; step++)
        {
            random.Shuffle(adapters);
            _steps[step] = [.. Enumerable.Range(0, Rows).Select(row => adapters[row % Distinct])];
        }

        LoadedAdapter Add(int number)
        {
            int rank = 1 + (number % 16);
            HostMatrix a = HostMatrix.From(SampleWeights.Values(rank * Features, 1), rank, Features);
            HostMatrix b = HostMatrix.From(SampleWeights.Values(Features * rank, 1), Features, rank);
            return _table.Add(new LoraAdapter(
                $"{number}", [.. modules.Select(module => new LoraFactors(module.Name, a, b, 1))]));
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _batch.Dispose();
        _table.Dispose();
        _device.Dispose();
    }

    /// <summary>256 rows, of 1,000 adapters: others in each step.</summary>
    [Benchmark]
    public void PlanOf256Rows() => _batch.Set(_steps[_step = (_step + 1) % Steps]);
}
