using LoraKernels.Tests.Operations;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>Weights, tables and batches are shared between threads, each with a stream of its own.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class ConcurrencyTests(string deviceName) : DeviceFixture(deviceName)
{
    private const int Threads = 4;
    private const int Runs = 25;

    [Test]
    public void ThreadsWithTheirOwnStreamsGiveTheSameBits()
    {
        using var rig = new LinearRig<Half>(Device, 257, 330);
        Half[] x = rig.X(19);
        using LoraBatch batch = rig.Batch(LinearRig<Half>.MixedPlan(19));
        Half[] expected = rig.Forward(x, batch);

        OnThreads(rig, x, (worker, _) =>
        {
            for (int run = 0; run < Runs; run++)
                Bits.AssertSame<Half>(worker.Forward(batch), expected, $"run {run}");
        });
    }

    [Test]
    public void AdaptersComeAndGoWhileOthersCompute()
    {
        using var rig = new LinearRig<float>(Device);
        float[] x = rig.X(6);
        using LoraBatch shared = rig.Batch(LinearRig<float>.MixedPlan(6));
        float[] expected = rig.Forward(x, shared);

        OnThreads(rig, x, (worker, index) =>
        {
            DeviceStream stream = worker.Stream;
            using LoraBatch own = rig.Table.CreateBatch(LoraBatchCapacity.ForRows(6, 64, slicesPerModule: 2), stream);
            for (int run = 0; run < Runs; run++)
            {
                // The values of A name the adapter: had another thread's been served, the sum would tell.
                float fill = (index + 1) * 0.5f;
                LoraAdapter adapter = rig.RandomAdapter(new Random(run), 3 + index, fill);
                LoadedAdapter loaded = rig.Table.Add(adapter, stream);
                own.Set(6, [0, 1, 1, 1, 1, 1, 1], new[] { loaded.Id }, [], stream);
                loaded.Dispose();
                float[] y = worker.Forward(own);
                Bits.AssertSame<float>(worker.Forward(own), y, $"thread {index}, run {run}: its own adapter, again");
                Bits.AssertSame<float>(worker.Forward(shared), expected, $"thread {index}, run {run}");
                AssertOwn(rig, x, adapter, y);
            }
        });
    }

    private static void OnThreads<T>(LinearRig<T> rig, T[] x, Action<Worker<T>, int> body)
        where T : unmanaged
    {
        Worker<T>[] workers = [.. Enumerable.Range(0, Threads).Select(_ => new Worker<T>(rig, x))];
        try
        {
            Task.WaitAll([.. workers.Select((worker, index) => Task.Factory.StartNew(
                () => body(worker, index),
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))]);
        }
        finally
        {
            foreach (Worker<T> worker in workers)
                worker.Dispose();
        }
    }

    private static void AssertOwn(LinearRig<float> rig, float[] x, LoraAdapter adapter, float[] y)
    {
        double[] expected = rig.ExpectedRow(x[..rig.InFeatures], adapter);
        Assert.That(VerificationError.Relative(y.AsSpan(0, rig.OutFeatures), expected), Is.LessThan(1e-5));
    }

    private sealed class Worker<T>(LinearRig<T> rig, T[] x) : IDisposable
        where T : unmanaged
    {
        private readonly DeviceTensor<T> _x = rig.Device.Upload<T>(x, x.Length / rig.InFeatures, rig.InFeatures);

        private readonly DeviceTensor<T> _y =
            rig.Device.Allocate<T>(x.Length / rig.InFeatures, rig.OutFeatures);

        public DeviceStream Stream { get; } = rig.Device.CreateStream();

        public T[] Forward(LoraBatch batch)
        {
            rig.Linear.Forward(_x, batch, _y, Stream);
            return _y.ToArray(Stream);
        }

        public void Dispose()
        {
            _x.Dispose();
            _y.Dispose();
            Stream.Dispose();
        }
    }
}
