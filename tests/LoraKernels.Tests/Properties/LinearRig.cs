using LoraKernels.Verification;
using LoraKernels.Verification.Reference;

namespace LoraKernels.Tests.Properties;

/// <summary>
/// A fused layer with bias and adapters of mixed ranks, for properties of the whole line: rows in, rows out, and what
/// the reference says. A row's plan is its adapters with their weights.
/// </summary>
internal sealed class LinearRig<T> : IDisposable
    where T : unmanaged
{
    public const string ModuleName = "layer";

    private readonly ReferenceWeight _referenceWeight;
    private readonly double[] _biasValues;
    private readonly DeviceTensor<float> _bias;
    private readonly QuantizedWeight _weight;

    public LinearRig(
        Device device, int outFeatures = 100, int inFeatures = 320, VerificationFormat format = VerificationFormat.Nf4,
        int seed = 1, int groupSize = 64)
    {
        var random = new Random(seed);
        Device = device;
        OutFeatures = outFeatures;
        InFeatures = inFeatures;
        WeightTensors tensors = WeightSamples.Create(
            new VerificationCase
            {
                Op = VerificationOp.Linear,
                Format = format,
                OutFeatures = outFeatures,
                InFeatures = inFeatures,
                GroupSize = groupSize,
            },
            random);
        _referenceWeight = ReferenceBridge.Weight(tensors);
        _weight = QuantizedWeight.Pack(device, tensors);
        float[] bias = Samples.Uniform(random, outFeatures);
        _biasValues = Array.ConvertAll(bias, value => (double)value);
        _bias = device.Upload<float>(bias, 1, outFeatures);
        Linear = new Linear(_weight, ModuleName, _bias);

        int half = outFeatures / 2;
        Module = new LoraModule(
            ModuleName, inFeatures, outFeatures, new OutputSlice("first", 0, half),
            new OutputSlice("second", half + 1, outFeatures - half - 1));
        Table = new LoraTable(device, [Module]);
        foreach (int rank in (int[])[8, 1, 48, 3])
            AddAdapter(RandomAdapter(random, rank));
    }

    public Device Device { get; }

    public int InFeatures { get; }

    public int OutFeatures { get; }

    public LoraModule Module { get; }

    public LoraTable Table { get; }

    public Linear Linear { get; }

    public List<LoadedAdapter> Loaded { get; } = [];

    public List<LoraAdapter> Adapters { get; } = [];

    /// <summary>Rows with none, one, two and three adapters in turn.</summary>
    public static (int Adapter, float Weight)[][] MixedPlan(int rows)
    {
        (int, float)[][] kinds = [[(0, 1)], [], [(1, 0.5f), (2, -1)], [(3, 1)], [(2, 1), (2, 0.25f), (0, -0.5f)]];
        return [.. Enumerable.Range(0, rows).Select(row => kinds[row * 7 / 3 % kinds.Length])];
    }

    public static T[] RandomRows(int rows, int columns, int seed) =>
        Samples.Uniform<T>(new Random(seed), (long)rows * columns);

    public T[] X(int rows, int seed = 3) => RandomRows(rows, InFeatures, seed);

    public int AddAdapter(LoraAdapter adapter)
    {
        Adapters.Add(adapter);
        Loaded.Add(Table.Add(adapter));
        return Loaded.Count - 1;
    }

    /// <summary>An adapter for both slices; the second has one rank more.</summary>
    public LoraAdapter RandomAdapter(Random random, int rank, float? fill = null)
    {
        return new LoraAdapter($"rank{rank}", [Factors("first", rank), Factors("second", rank + 1)]);

        LoraFactors Factors(string slice, int r)
        {
            long size = Module.Slices.Single(part => part.Name == slice).Size;
            float[] a = Samples.Uniform(random, (long)r * InFeatures, 2 / MathF.Sqrt(InFeatures));
            float[] b = Samples.Uniform(random, size * r, 2 / MathF.Sqrt(r));
            if (fill is float value)
                Array.Fill(a, value);
            return new LoraFactors(slice, HostMatrix.From(a, r, InFeatures), HostMatrix.From(b, size, r), 0.75f);
        }
    }

    public LoraBatch Batch(params (int Adapter, float Weight)[][] plan)
    {
        LoraBatch batch = Table.CreateBatch(LoraBatchCapacity.ForRows(
            Math.Max(1, plan.Length), 64, adaptersPerRow: 4, slicesPerModule: 2));
        Set(batch, plan);
        return batch;
    }

    public void Set(LoraBatch batch, (int Adapter, float Weight)[][] plan)
    {
        var offsets = new long[plan.Length + 1];
        for (int row = 0; row < plan.Length; row++)
            offsets[row + 1] = offsets[row] + plan[row].Length;
        long[] ids = [.. plan.SelectMany(row => row).Select(entry => Loaded[entry.Adapter].Id)];
        float[] weights = [.. plan.SelectMany(row => row).Select(entry => entry.Weight)];
        batch.Set(plan.Length, offsets, ids, weights);
    }

    public T[] Forward(T[] x, params (int Adapter, float Weight)[][] plan)
    {
        using LoraBatch batch = Batch(plan);
        return Forward(x, batch);
    }

    public T[] Forward(T[] x, LoraBatch batch, DeviceStream? stream = null)
    {
        int rows = x.Length / InFeatures;
        using DeviceTensor<T> input = Device.Upload<T>(x, rows, InFeatures);
        using DeviceTensor<T> output = Device.Allocate<T>(rows, OutFeatures);
        Linear.Forward(input, batch, output, stream);
        return output.ToArray(stream);
    }

    public double[] Expected(T[] x, params (int Adapter, float Weight)[][] plan)
    {
        var entries = new List<ReferenceEntry>();
        for (int row = 0; row < plan.Length; row++)
        {
            foreach ((int adapter, float weight) in plan[row])
                entries.Add(new ReferenceEntry(row, ReferenceBridge.Factors(Adapters[adapter], Module), weight));
        }

        return ReferenceLinear.Linear(Elements.ToDoubles(x), plan.Length, _referenceWeight, entries, _biasValues);
    }

    /// <summary>One row with one adapter, which need not be in the table.</summary>
    public double[] ExpectedRow(T[] x, LoraAdapter adapter) => ReferenceLinear.Linear(
        Elements.ToDoubles(x), 1, _referenceWeight, [new ReferenceEntry(0, ReferenceBridge.Factors(adapter, Module))],
        _biasValues);

    public void Dispose()
    {
        foreach (LoadedAdapter adapter in Loaded)
            adapter.Dispose();
        Table.Dispose();
        _bias.Dispose();
        _weight.Dispose();
    }
}
