using LoraKernels.Serving;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// A pool on a device that only records, whose loads run when the test says so, and what must hold at its end.
/// </summary>
internal sealed class PoolRig : IDisposable
{
    public PoolRig(
        long deviceBytes = long.MaxValue, Func<AdapterPoolOptions, AdapterPoolOptions>? with = null, Faults? faults = null)
    {
        Scheduler = new SteppedScheduler(seed: 1);
        Device = new RecordingDevice(null, faults);
        var options = new AdapterPoolOptions
        {
            DeviceBytes = deviceBytes,
            Scheduler = Scheduler,
            TimeProvider = Clock,
        };
        Pool = new AdapterPool(Device, with?.Invoke(options) ?? options);
    }

    public AdapterPool Pool { get; }

    public RecordingDevice Device { get; }

    public SteppedScheduler Scheduler { get; }

    public TestClock Clock { get; } = new();

    public IEnumerable<string> LiveNames => Device.Live.Select(adapter => adapter.Adapter.Name).Order();

    public PooledAdapter Register(string name, int rank = 4, string? tenant = null) =>
        Pool.Register(name, new FakeSource(TestAdapters.Make(name, rank)), tenant);

    /// <summary>Registered, loaded and idle.</summary>
    public PooledAdapter Load(string name, int rank = 4, string? tenant = null)
    {
        PooledAdapter adapter = Register(name, rank, tenant);
        Run(Pool.LoadAsync(adapter));
        return adapter;
    }

    public AdapterLease Acquire(PooledAdapter adapter) => Run(Pool.AcquireAsync(adapter));

    public PoolBatch Batch(int rows = 64) => Pool.CreateBatch(LoraBatchCapacity.ForRows(rows, 512, 4));

    /// <summary>Runs loads until a task is done.</summary>
    public T Run<T>(Task<T> task)
    {
        Scheduler.RunAll();
        Assert.That(task.IsCompleted, "it waits for something that nothing will bring");
        return task.GetAwaiter().GetResult();
    }

    /// <summary>The pool's figures are what lies on the device, when nothing is under way.</summary>
    public void AssertBooks()
    {
        PoolStatistics now = Pool.Statistics;
        Assert.That(Device.Violations, Is.Empty);
        Assert.That(now.Resident, Is.EqualTo(Device.Live.Count));
        if (now.Loading == 0)
            Assert.That(now.DeviceBytes, Is.EqualTo(Device.LiveBytes));
    }

    public void Dispose()
    {
        Scheduler.RunAll();
        AssertBooks();
        Pool.Dispose();
        Scheduler.RunAll();
        Assert.That(Device.IsDisposed);
        Assert.That(Device.Violations, Is.Empty);
    }
}
