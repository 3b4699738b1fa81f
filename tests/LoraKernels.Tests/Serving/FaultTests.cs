using LoraKernels.Serving;
using LoraKernels.Tests.Api;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// The n-th read, upload, measurement or plan fails, for every n: one caller hears of it, and the books hold.
/// </summary>
public sealed class FaultTests
{
    [TestCase(false), TestCase(true)]
    public void EveryFailureIsItsCallersAndNobodyElses(bool outOfMemory)
    {
        int failures = 0;
        for (int n = 0; ; n++)
        {
            var faults = new Faults { SucceedFirst = n };
            if (outOfMemory)
                faults.Make = () => new LoraKernelsException(LoraKernelsStatus.OutOfMemory, "made by a test");
            using var rig = new PoolRig(
                deviceBytes: 2 * TestAdapters.Bytes(4), faults: faults,
                with: options => options with { HostBytes = 2 * TestAdapters.Make("x").Bytes });

            HashSet<Exception> errors = RunScenario(rig, faults);

            if (!faults.HasFailed)
                break;
            failures++;
            Assert.That(errors, Has.Count.EqualTo(1), $"failure {n}: one, and not lost");
            rig.AssertBooks();
            Assert.That(rig.Device.Live, Is.Empty, $"failure {n}");
            Assert.That(rig.Pool.Statistics.HostBytes, Is.Zero, $"failure {n}");
            Assert.That(RunScenario(rig, faults), Is.Empty, $"after failure {n}");
            Assert.That((rig.Device.Live.Count, rig.Pool.Statistics.DeviceBytes), Is.EqualTo((0, 0L)), $"after failure {n}");
        }
        TestContext.Out.WriteLine($"{failures} places");
        Assert.That(failures, Is.GreaterThan(20));
    }

    [Test]
    public void ALostDeviceFailsEverythingWithOneStatusAndCanBeDisposed()
    {
        int failures = 0;
        for (int n = 0; ; n++)
        {
            var faults = new Faults
            {
                Make = () => new LoraKernelsException(LoraKernelsStatus.DeviceLost, "the device is gone"),
            };
            using var rig = new PoolRig(deviceBytes: 2 * TestAdapters.Bytes(4), faults: faults);
            PooledAdapter there = rig.Load("there");
            AdapterLease lease = rig.Acquire(there);
            using PoolBatch batch = rig.Batch();
            var held = new FakeSource(TestAdapters.Make("held")) { IsHeld = true };
            Task<PooledAdapter> reading = rig.Pool.LoadAsync("held", held);
            Task<AdapterLease> other = rig.Pool.AcquireAsync(rig.Register("other"));
            Task<PooledAdapter> another = rig.Pool.LoadAsync(rig.Register("another"));
            faults.SucceedFirst = n;

            batch.Add(there);
            Exception? ofStep = ErrorOf(() => batch.Set());
            rig.Scheduler.RunAll();
            if (!faults.HasFailed)
            {
                faults.SucceedFirst = -1;
                held.Release();
                rig.Scheduler.RunAll();
                batch.Clear();
                batch.Set();
                lease.Dispose();
                rig.Run(other).Dispose();
                break;
            }
            failures++;

            Assert.That(ofStep is null, Is.EqualTo(n > 0));
            Assert.That(IsLost(reading.Exception?.InnerException), $"reading, {n}");
            if (!other.IsCompletedSuccessfully)
                Assert.That(IsLost(other.Exception?.InnerException), $"leasing, {n}");
            if (!another.IsCompletedSuccessfully)
                Assert.That(IsLost(another.Exception?.InnerException), $"loading, {n}");
            AssertLost(rig, batch, there);
            rig.Pool.Unload(there);
            lease.Dispose();
            if (other.IsCompletedSuccessfully)
                other.Result.Dispose();
            held.Release();
            rig.Scheduler.RunAll();
        }
        Assert.That(failures, Is.GreaterThan(4));
    }

    private static void AssertLost(PoolRig rig, PoolBatch batch, PooledAdapter adapter)
    {
        Assert.That(() => rig.Pool.LoadAsync(adapter), Fails.With(LoraKernelsStatus.DeviceLost));
        Assert.That(() => rig.Pool.TryAcquire(adapter, out _), Fails.With(LoraKernelsStatus.DeviceLost));
        Assert.That(() => rig.Pool.Register("new", adapter.Source), Fails.With(LoraKernelsStatus.DeviceLost));
        Assert.That(() => rig.Pool.Pin(adapter), Fails.With(LoraKernelsStatus.DeviceLost));
        Assert.That(() => rig.Batch(), Fails.With(LoraKernelsStatus.DeviceLost));
        Assert.That(() => batch.Set(), Fails.With(LoraKernelsStatus.DeviceLost));
        Assert.That(
            () => batch.SetWhenLoadedAsync().AsTask().GetAwaiter().GetResult(), Fails.With(LoraKernelsStatus.DeviceLost));
        Assert.That(() => rig.Pool.Prefetch(adapter), Throws.Nothing);
    }

    private static LoraKernelsException? ErrorOf(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (LoraKernelsException error)
        {
            return error;
        }
    }

    private static bool IsLost(Exception? error) =>
        error is LoraKernelsException { Status: LoraKernelsStatus.DeviceLost, Message: "the device is gone" };

    /// <summary>Some of everything; what is left afterwards is nothing.</summary>
    private static HashSet<Exception> RunScenario(PoolRig rig, Faults faults)
    {
        var errors = new HashSet<Exception>(ReferenceEqualityComparer.Instance);
        PooledAdapter[] adapters = [.. "abc".Select(name =>
            rig.Pool.Register($"{name}", new FakeSource(TestAdapters.Make($"{name}"), faults)))];
        foreach (PooledAdapter adapter in adapters)
            Try(() => rig.Run(rig.Pool.LoadAsync(adapter)));
        AdapterLease? lease = null;
        Try(() => lease = rig.Acquire(adapters[0]));
        PoolBatch? batch = null;
        Try(() => batch = rig.Batch());
        for (int step = 0; step < 4 && batch is not null; step++)
        {
            batch.Clear();
            foreach (PooledAdapter adapter in adapters.Skip(step % 2))
                batch.Add(adapter);
            Try(() => batch.Set());
            for (int i = 0; i < batch.Sequences; i++)
            {
                if (batch.States[i] == SequenceState.Refused)
                    Note(batch.ErrorOf(i)!);
            }
            rig.Scheduler.RunAll();
        }
        batch?.Clear();
        // Once more where this is what fails: it would keep what it has, and the replacement needs room.
        Try(() => batch?.Set());
        Try(() => batch?.Set());
        Try(() => rig.Run(rig.Pool.ReplaceAsync("b", new FakeSource(TestAdapters.Make("b", 3), faults))));
        Task<PooledAdapter> together = rig.Pool.LoadAsync(adapters[2]);
        Try(() => rig.Run(rig.Pool.LoadAsync(adapters[2])));
        Try(() => rig.Run(together));
        batch?.Dispose();
        lease?.Dispose();
        rig.Scheduler.RunAll();
        foreach (string name in (string[])["a", "b", "c"])
        {
            if (rig.Pool.Find(name) is { } left)
                rig.Pool.Unload(left);
        }
        return errors;

        void Try(Action action)
        {
            try
            {
                action();
            }
            catch (Exception error) when (error is InjectedException or LoraKernelsException)
            {
                Note(error);
            }
        }

        void Note(Exception error) => errors.Add(error);
    }
}
