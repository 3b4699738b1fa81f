using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>
/// Objects disposed by one thread while others are inside native calls with them: a call either completes or is told
/// that the object is disposed, and nothing stays behind. The sanitizer builds would see a use after free.
/// </summary>
public sealed class LeaseTests
{
    private const int Rounds = 40;
    private const int CallsBeforeDisposal = 5;

    private Device _device = null!;

    [SetUp]
    public void Open() => _device = Device.OpenCpu();

    [TearDown]
    public void Close() => _device.Dispose();

    [Test]
    public void WeightIsFreedAfterTheCallsThatUseIt()
    {
        using DeviceTensor<float> x = _device.Upload<float>(Sample.Values(8 * 64, 1), 8, 64);
        Race(
            () => Sample.Weight(_device),
            (weight, stream, y) => Kernels.Matmul(x, weight, null, y, stream),
            nameof(QuantizedWeight));
    }

    [Test]
    public void TensorIsFreedAfterTheCallsThatUseIt()
    {
        using QuantizedWeight weight = Sample.Weight(_device);
        Race(
            () => _device.Upload<float>(Sample.Values(8 * 64, 1), 8, 64),
            (x, stream, y) => Kernels.Matmul(x, weight, null, y, stream),
            nameof(DeviceTensor));
    }

    [Test]
    public void BatchIsFreedAfterTheCallsThatUseIt()
    {
        using LoraTable table = Sample.Table(_device);
        using LoadedAdapter adapter = table.Add(Sample.Adapter());
        using DeviceTensor<float> x = _device.Upload<float>(Sample.Values(8 * 64, 1), 8, 64);
        LoadedAdapter?[] rows = [adapter, null, adapter, null, adapter, null, adapter, null];
        Race(
            () =>
            {
                LoraBatch batch = table.CreateBatch(Sample.Capacity);
                batch.Set(rows);
                return batch;
            },
            (batch, stream, y) => Kernels.LoraApply(x, batch, Sample.Plain, y, stream),
            nameof(LoraBatch));
    }

    [Test]
    public void TableIsFreedAfterTheCallsThatUseIt()
    {
        LoraAdapter adapter = Sample.Adapter();
        Race(
            () => Sample.Table(_device),
            (table, stream, _) => table.Add(adapter, stream).Dispose(),
            nameof(LoraTable));
    }

    [Test]
    public void StreamIsDestroyedAfterTheCallInsideIt()
    {
        using QuantizedWeight weight = Sample.Weight(_device);
        using DeviceTensor<float> x = _device.Upload<float>(Sample.Values(8 * 64, 1), 8, 64);
        using DeviceTensor<float> y = _device.Allocate<float>(8, Sample.OutFeatures);
        long before = LoraKernelsLibrary.LiveHandles;
        for (int round = 0; round < Rounds; round++)
        {
            DeviceStream stream = _device.CreateStream();
            stream.ReserveWorkspace(1 << 16);
            Exception? failure = null;
            using var started = new CountdownEvent(1);
            var caller = new Thread(() => failure = CallUntilDisposed(
                () => Kernels.Matmul(x, weight, null, y, stream), started));
            caller.Start();
            started.Wait();
            stream.Dispose();
            caller.Join();

            Assert.That(failure, Is.TypeOf<ObjectDisposedException>());
            Assert.That(((ObjectDisposedException)failure!).ObjectName, Is.EqualTo(nameof(DeviceStream)));
        }
        Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
    }

    private void Race<T>(Func<T> make, Action<T, DeviceStream, DeviceTensor<float>> call, string name)
        where T : IDisposable
    {
        DeviceStream[] streams = [_device.CreateStream(), _device.CreateStream()];
        DeviceTensor<float>[] results = [.. streams.Select(_ => _device.Upload<float>(
            new float[8 * Sample.OutFeatures], 8, Sample.OutFeatures))];
        long before = LoraKernelsLibrary.LiveHandles;
        for (int round = 0; round < Rounds; round++)
        {
            T target = make();
            var failures = new Exception?[streams.Length];
            using var started = new CountdownEvent(streams.Length);
            Thread[] callers =
            [
                .. streams.Select((stream, i) => new Thread(() =>
                {
                    failures[i] = CallUntilDisposed(() => call(target, stream, results[i]), started);
                })),
            ];
            foreach (Thread caller in callers)
                caller.Start();
            started.Wait();
            target.Dispose();
            foreach (Thread caller in callers)
                caller.Join();

            Assert.That(failures, Has.All.TypeOf<ObjectDisposedException>());
            Assert.That(failures.Cast<ObjectDisposedException>().Select(e => e.ObjectName), Has.All.EqualTo(name));
            Assert.That(LoraKernelsLibrary.LiveHandles, Is.EqualTo(before));
        }
        foreach (IDisposable made in (IDisposable[])[.. streams, .. results])
            made.Dispose();
    }

    /// <summary>Calls until a call fails, and says after a few that it is under way.</summary>
    private static Exception CallUntilDisposed(Action call, CountdownEvent started)
    {
        for (int calls = 1; ; calls++)
        {
            try
            {
                call();
            }
            catch (Exception error)
            {
                return error;
            }
            if (calls == CallsBeforeDisposal)
                started.Signal();
        }
    }
}
