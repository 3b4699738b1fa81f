using LoraKernels.Serving;
using LoraKernels.Tests.Api;
using LoraKernels.Tests.Operations;
using LoraKernels.Verification;
using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// The pool on real devices: every row gets its own adapter's result, whatever has come and gone meanwhile.
/// </summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class PoolOnDeviceTests(string deviceName) : DeviceFixture(deviceName)
{
    private const double Limit = 1e-5;
    private const int K = TestAdapters.InFeatures;
    private const int N = TestAdapters.OutFeatures;

    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);

    [Test]
    public void RowsHaveTheirAdaptersThroughEvictionAndReplacement()
    {
        using QuantizedWeight weight = Weight();
        var options = new AdapterPoolOptions
        {
            DeviceBytes = 1 << 20,
            MaxAdapters = 2,
            Adapters = new AdapterOptions { BaseWeight = _ => weight },
        };
        using var pool = new AdapterPool(Device, TestAdapters.Modules(), options);
        using PoolBatch batch = pool.CreateBatch(LoraBatchCapacity.ForRows(16, 64, 2));
        LoraAdapter[] contents =
        [
            TestAdapters.Make("plain", 5, 10), TestAdapters.Make("dora", 3, 20, dora: true),
            TestAdapters.Make("bias", 17, 30, bias: true),
        ];
        PooledAdapter[] adapters =
            [.. contents.Select(content => pool.Register(content.Name, AdapterSource.FromMemory(content)))];

        Check((0, 2), (-1, 1), (1, 3));
        Check((2, 1), (1, 1));
        Check((1, 2), (0, 1));
        Assert.That(pool.Statistics.Evictions, Is.Positive);

        contents[0] = TestAdapters.Make("plain", 12, 40);
        PooledAdapter before = adapters[0];
        // The step holds both places, and a replacement needs one.
        batch.Clear();
        batch.Set();
        adapters[0] = pool.ReplaceAsync("plain", AdapterSource.FromMemory(contents[0])).WaitAsync(_patience).Result;
        Assert.That((before.IsRetired, before.Id != adapters[0].Id), Is.EqualTo((true, true)));
        Check((0, 3), (1, 1));

        void Check(params (int Adapter, int Rows)[] sequences)
        {
            batch.Clear();
            foreach ((int adapter, int rows) in sequences)
                batch.Add(adapter < 0 ? null : adapters[adapter], rows);
            StepResult step = batch.SetWhenLoadedAsync().AsTask().WaitAsync(_patience).Result;
            Assert.That(step.IsComplete, step.ToString());
            LoraAdapter?[] rowContents = [.. sequences.SelectMany(
                s => Enumerable.Repeat(s.Adapter < 0 ? null : contents[s.Adapter], s.Rows))];
            AssertLinear(weight, batch, rowContents);
        }
    }

    [Test]
    public void AStepThatWasLaunchedIsNotDisturbedByWhatComesAfter()
    {
        using QuantizedWeight weight = Weight();
        using var pool = new AdapterPool(
            Device, TestAdapters.Modules(), new AdapterPoolOptions { DeviceBytes = 1 << 20, MaxAdapters = 1 });
        using PoolBatch batch = pool.CreateBatch(LoraBatchCapacity.ForRows(4, 64));
        LoraAdapter[] contents = [.. Enumerable.Range(0, 6).Select(i => TestAdapters.Make($"{i}", 4 + i, 10 * i + 1))];
        var linear = new Linear(weight, TestAdapters.Module);
        float[] x = Sample.Values(2 * K, 7);
        using DeviceTensor<float> input = Device.Upload<float>(x, 2, K);
        DeviceTensor<float>[] outputs = [.. contents.Select(_ => Device.Allocate<float>(2, N))];

        for (int i = 0; i < contents.Length; i++)
        {
            PooledAdapter adapter = pool.Register($"{i}", AdapterSource.FromMemory(contents[i]));
            batch.Clear();
            batch.Add(adapter, 2);
            Assert.That(batch.SetWhenLoadedAsync().AsTask().WaitAsync(_patience).Result.IsComplete);
            linear.Forward(input, batch.Plan, outputs[i]);
            pool.Unload(adapter);
        }

        for (int i = 0; i < contents.Length; i++)
            AssertRows(weight, x, outputs[i].ToArray(), [contents[i], contents[i]]);
        foreach (DeviceTensor<float> output in outputs)
            output.Dispose();
    }

    [Test]
    public void RandomHistoriesComputeWhatTheyShould()
    {
        int checkedRows = 0;
        float[] x = Sample.Values(64 * K, 3);
        var table = new LoraTable(Device, TestAdapters.Modules());
        using var simulation = new PoolSimulation(
            11, new SimulationSize(60, 12, 24, long.MaxValue, 20_000, new PoolQuota(Adapters: 4)),
            new TableDevice(table, AdapterOptions.None, Device.CreateStream), Make, CheckResults);

        simulation.Run(Device.Info.Kind == DeviceKind.Cpu ? 2500 : 600);

        Assert.That(checkedRows, Is.GreaterThan(100));

        void CheckResults(PoolBatch batch, RecordingDevice.RecordedPlan plan)
        {
            int rows = batch.Rows;
            checkedRows += rows;
            using DeviceTensor<float> input = Device.Upload<float>(x.AsSpan(0, rows * K), rows, K);
            using DeviceTensor<float> output = Device.Upload<float>(new float[rows * N], rows, N);
            Kernels.LoraApply(input, batch.Plan, TestAdapters.Module, output);
            var entries = new List<ReferenceEntry>();
            for (int row = 0; row < rows; row++)
            {
                for (long e = plan.RowOffsets[row]; e < plan.RowOffsets[row + 1]; e++)
                    entries.Add(new ReferenceEntry(row, Factors(plan.Entries[e].Adapter), plan.Weights[e]));
            }
            var expected = new double[rows * N];
            ReferenceLora.Apply(Elements.ToDoubles(x), K, entries, expected, N);
            float[] y = output.ToArray();
            AssertNear(y, expected, rows);
        }

        static LoraAdapter Make(string content, int rank) =>
            TestAdapters.Make(content, rank, int.Parse(content.AsSpan("content ".Length), provider: null));
    }

    private static void AssertRows(QuantizedWeight weight, float[] x, float[] y, LoraAdapter?[] rows)
    {
        ReferenceWeight reference = ReferenceBridge.Weight(weight.Unpack());
        var entries = new List<ReferenceEntry>();
        for (int row = 0; row < rows.Length; row++)
        {
            if (rows[row] is { } content)
                entries.Add(new ReferenceEntry(row, Factors(content, reference)));
        }
        double[] expected = ReferenceLinear.Linear(Elements.ToDoubles(x), rows.Length, reference, entries, null);
        AssertNear(y, expected, rows.Length);
    }

    private static void AssertNear(float[] y, double[] expected, int rows)
    {
        for (int row = 0; row < rows; row++)
        {
            double error = VerificationError.Relative(y.AsSpan(row * N, N), expected.AsSpan(row * N, N));
            Assert.That(error, Is.LessThan(Limit), $"row {row}");
        }
    }

    private static IReadOnlyList<ReferenceFactors> Factors(LoraAdapter adapter, ReferenceWeight? weight = null) =>
        ReferenceBridge.Factors(adapter, TestAdapters.Modules()[0], weight);

    private QuantizedWeight Weight() => Sample.Weight(Device, N, K);

    private void AssertLinear(QuantizedWeight weight, PoolBatch batch, LoraAdapter?[] rows)
    {
        float[] x = Sample.Values(rows.Length * K, 5);
        using DeviceTensor<float> input = Device.Upload<float>(x, rows.Length, K);
        using DeviceTensor<float> output = Device.Allocate<float>(rows.Length, N);
        new Linear(weight, TestAdapters.Module).Forward(input, batch.Plan, output);
        AssertRows(weight, x, output.ToArray(), rows);
    }
}
