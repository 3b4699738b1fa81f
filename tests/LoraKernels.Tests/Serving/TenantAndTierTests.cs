using LoraKernels.Serving;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>Leases, pins, tenants' quotas and the host tier: who keeps what where.</summary>
public sealed class TenantAndTierTests
{
    private static readonly long _one = TestAdapters.Bytes(4);

    [Test]
    public void ALeasedAdapterIsNeverEvicted()
    {
        using var rig = new PoolRig(deviceBytes: 2 * _one);
        using AdapterLease lease = rig.Acquire(rig.Register("leased"));
        foreach (string name in (string[])["a", "b", "c"])
            rig.Load(name);

        Assert.That(rig.LiveNames, Is.EqualTo(["c", "leased"]));
        Assert.That(rig.Pool.TryAcquire(rig.Pool.Find("a")!, out AdapterLease? none), Is.False);
        Assert.That(none, Is.Null);
        Assert.That(rig.Pool.TryAcquire(lease.Adapter, out AdapterLease? again), Is.True);
        again!.Dispose();
        again.Dispose();
        rig.Load("d");
        Assert.That(rig.LiveNames, Is.EqualTo(["d", "leased"]), "a lease ends once");
    }

    [Test]
    public void ALeaseIsTakenBeforeAnybodyCanEvictWhatHasArrived()
    {
        using var rig = new PoolRig(deviceBytes: _one);
        Task<AdapterLease> first = rig.Pool.AcquireAsync(rig.Register("a")), second = rig.Pool.AcquireAsync(rig.Register("b"));
        rig.Scheduler.RunAll();

        Assert.That(first.IsCompleted ^ second.IsCompleted);
        (first.IsCompleted ? first : second).Result.Dispose();
        rig.Scheduler.RunAll();
        Assert.That((first.IsCompleted, second.IsCompleted), Is.EqualTo((true, true)));
        first.Result.Dispose();
        second.Result.Dispose();
    }

    [Test]
    public void ACallerWhoCancelsGetsNoLeaseThatNobodyWouldEnd()
    {
        using var rig = new PoolRig(deviceBytes: _one);
        using var cancellation = new CancellationTokenSource();
        PooledAdapter adapter = rig.Register("a");
        Task<AdapterLease> cancelled = rig.Pool.AcquireAsync(adapter, cancellation.Token);
        Task<PooledAdapter> other = rig.Pool.LoadAsync(adapter);
        cancellation.Cancel();
        rig.Run(other);

        Assert.That(cancelled.IsCanceled);
        Assert.That(rig.Pool.Statistics.HeldBytes, Is.Zero);
    }

    [Test]
    public void APinnedAdapterStaysUntilItIsUnpinned()
    {
        using var rig = new PoolRig(deviceBytes: _one);
        PooledAdapter pinned = rig.Register("pinned"), other = rig.Register("other");
        rig.Pool.Pin(pinned);
        rig.Pool.Pin(pinned);
        rig.Scheduler.RunAll();
        Assert.That(pinned.IsLoaded, "a pin loads it");

        Task<PooledAdapter> waiting = rig.Pool.LoadAsync(other);
        rig.Scheduler.RunAll();
        rig.Pool.Unpin(pinned);
        Assert.That(waiting.IsCompleted, Is.False);
        rig.Pool.Unpin(pinned);
        Assert.That(rig.Run(waiting).IsLoaded);
        Assert.That(() => rig.Pool.Unpin(pinned), Throws.InvalidOperationException);

        rig.Pool.Pin(other);
        rig.Pool.Unload(other);
        Assert.That(rig.Device.Live, Is.Empty, "unloading takes pins away");
        Assert.That(() => rig.Pool.Unpin(other), Throws.Nothing);
        Assert.That(() => rig.Pool.Pin(other), Throws.TypeOf<AdapterUnavailableException>());
    }

    [Test]
    public void ATenantsAdaptersMakeWayForItsOwn()
    {
        using var rig = new PoolRig(
            deviceBytes: 10 * _one,
            with: options => options with
            {
                TenantQuotas = new Dictionary<string, PoolQuota>(StringComparer.Ordinal) { ["few"] = new(Adapters: 2) },
                DefaultTenantQuota = new PoolQuota(3 * _one),
            });
        foreach (string name in (string[])["1", "2", "3", "4"])
        {
            rig.Load($"few {name}", tenant: "few");
            rig.Load($"bytes {name}", tenant: "bytes");
            rig.Load($"free {name}");
        }

        Assert.That(
            rig.LiveNames,
            Is.EqualTo(["bytes 2", "bytes 3", "bytes 4", "few 3", "few 4", "free 1", "free 2", "free 3", "free 4"]));
        Assert.That(
            () => rig.Load("large", 32, "bytes"),
            Throws.TypeOf<PoolCapacityException>().With.Message.Contains("tenant 'bytes'"));
    }

    [Test]
    public void ATenantThatIsFullWaitsForItselfAndNobodyWaitsForIt()
    {
        using var rig = new PoolRig(
            deviceBytes: 10 * _one, with: options => options with { DefaultTenantQuota = new PoolQuota(Adapters: 1) });
        PooledAdapter first = rig.Load("first", tenant: "t"), second = rig.Load("second", tenant: "t");
        using PoolBatch batch = rig.Batch();
        batch.Add(second);
        batch.Add(first);
        batch.Add(rig.Load("other", tenant: "u"));

        Assert.That(batch.Set(), Is.EqualTo(new StepResult(2, 0, 1, 0, 2)));
        Task<PooledAdapter> waiting = rig.Pool.LoadAsync(first);
        rig.Scheduler.RunAll();
        Assert.That((waiting.IsCompleted, rig.Load("third", tenant: "v").IsLoaded), Is.EqualTo((false, true)));
        batch.Clear();
        batch.Set();
        Assert.That(rig.Run(waiting).IsLoaded);
    }

    [Test]
    public void WhatIsInHostMemoryIsNotReadAgain()
    {
        long bytes = TestAdapters.Make("x").Bytes;
        using var rig = new PoolRig(deviceBytes: _one, with: options => options with { HostBytes = 2 * bytes });
        FakeSource[] sources = [.. "abc".Select(name => new FakeSource(TestAdapters.Make($"{name}")))];
        PooledAdapter[] adapters = [.. sources.Select((source, i) => rig.Pool.Register($"{i}", source))];
        foreach (int i in (int[])[0, 1, 0, 2, 0, 1])
            rig.Run(rig.Pool.LoadAsync(adapters[i]));

        Assert.That(sources.Select(source => source.Reads), Is.EqualTo([1, 2, 1]), "1 was the least recently used of three");
        Assert.That((rig.Pool.Statistics.HostAdapters, rig.Pool.Statistics.HostBytes), Is.EqualTo((2, 2 * bytes)));
        foreach (PooledAdapter adapter in adapters)
            rig.Pool.Unload(adapter);
        Assert.That(rig.Pool.Statistics.HostBytes, Is.Zero);
    }

    [Test]
    public void WhatIsLargerThanTheHostBudgetIsNotKept()
    {
        long bytes = TestAdapters.Make("x").Bytes;
        using var rig = new PoolRig(with: options => options with { HostBytes = bytes });
        rig.Load("small");
        rig.Load("large", 5);

        Assert.That(rig.Pool.Statistics.HostAdapters, Is.EqualTo(1));
        Assert.That(rig.Pool.Statistics.HostBytes, Is.EqualTo(bytes));
    }

    [Test]
    public void OptionsAreChecked()
    {
        Refused(options => options with { DeviceBytes = -1 }, "DeviceBytes");
        Refused(options => options with { MaxAdapters = -1 }, "MaxAdapters");
        Refused(options => options with { HostBytes = -1 }, "HostBytes");
        Refused(options => options with { MaxConcurrentLoads = 0 }, "MaxConcurrentLoads");
        Refused(options => options with { DefaultTenantQuota = new PoolQuota(-1) }, "DefaultTenantQuota");
        Refused(
            options => options with
            {
                TenantQuotas = new Dictionary<string, PoolQuota>(StringComparer.Ordinal) { ["t"] = new(1, -1) },
            },
            "TenantQuotas");

        static void Refused(Func<AdapterPoolOptions, AdapterPoolOptions> with, string name) => Assert.That(
            () => new PoolRig(with: with), Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains(name));
    }
}
