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

        OnThreads((_, stream) =>
        {
            for (int run = 0; run < Runs; run++)
                Bits.AssertSame<Half>(Forward(rig, x, batch, stream), expected, $"run {run}");
        });
    }

    [Test]
    public void AdaptersComeAndGoWhileOthersCompute()
    {
        using var rig = new LinearRig<float>(Device);
        float[] x = rig.X(6);
        using LoraBatch shared = rig.Batch(LinearRig<float>.MixedPlan(6));
        float[] expected = rig.Forward(x, shared);

        OnThreads((index, stream) =>
        {
            using LoraBatch own = rig.Table.CreateBatch(LoraBatchCapacity.ForRows(6, 64, slicesPerModule: 2), stream);
            for (int run = 0; run < Runs; run++)
            {
                // The values of A name the adapter: had another thread's been served, the sum would tell.
                float fill = (index + 1) * 0.5f;
                LoraAdapter adapter = rig.RandomAdapter(new Random(run), 3 + index, fill);
                LoadedAdapter loaded = rig.Table.Add(adapter, stream);
                own.Set(6, [0, 1, 1, 1, 1, 1, 1], new[] { loaded.Id }, [], stream);
                loaded.Dispose();
                float[] y = Forward(rig, x, own, stream);
                Bits.AssertSame<float>(
                    Forward(rig, x, own, stream), y, $"thread {index}, run {run}: its own adapter, again");
                Bits.AssertSame<float>(Forward(rig, x, shared, stream), expected, $"thread {index}, run {run}");
                AssertOwn(rig, x, adapter, y);
            }
        });
    }

    private void OnThreads(Action<int, DeviceStream> body)
    {
        Task[] tasks = [.. Enumerable.Range(0, Threads).Select(index => Task.Factory.StartNew(
            () =>
            {
                using DeviceStream stream = Device.CreateStream();
                body(index, stream);
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Task.WaitAll(tasks);
    }

    private static T[] Forward<T>(LinearRig<T> rig, T[] x, LoraBatch batch, DeviceStream stream)
        where T : unmanaged
    {
        int rows = x.Length / rig.InFeatures;
        using DeviceTensor<T> input = rig.Device.Allocate<T>(rows, rig.InFeatures);
        using DeviceTensor<T> output = rig.Device.Allocate<T>(rows, rig.OutFeatures);
        input.CopyFrom(x, stream);
        rig.Linear.Forward(input, batch, output, stream);
        return output.ToArray(stream);
    }

    private static void AssertOwn(LinearRig<float> rig, float[] x, LoraAdapter adapter, float[] y)
    {
        double[] expected = rig.ExpectedRow(x[..rig.InFeatures], adapter);
        Assert.That(VerificationError.Relative(y.AsSpan(0, rig.OutFeatures), expected), Is.LessThan(1e-5));
    }
}
