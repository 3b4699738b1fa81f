using LoraKernels.Checkpoints;
using LoraKernels.Serving;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>Adapters are loaded once, for whoever waits; what goes wrong is its callers' and nobody else's.</summary>
public sealed class LoadingTests
{
    [Test]
    public void TwoCallersAreOneLoad()
    {
        using var rig = new PoolRig();
        var source = new FakeSource(TestAdapters.Make("x"));

        Task<PooledAdapter> first = rig.Pool.LoadAsync("x", source), second = rig.Pool.LoadAsync("x", source);

        Assert.That(rig.Run(first), Is.SameAs(rig.Run(second)));
        Assert.That((source.Reads, rig.Device.Uploads), Is.EqualTo((1, 1)));
        Assert.That(rig.Run(rig.Pool.LoadAsync("x")), Is.SameAs(rig.Run(first)), "by name, and there already");
        Assert.That(source.Reads, Is.EqualTo(1));
    }

    [Test]
    public void OneCallersCancellationIsNotTheOthers()
    {
        using var rig = new PoolRig();
        var source = new FakeSource(TestAdapters.Make("x")) { IsHeld = true };
        using var cancellation = new CancellationTokenSource();
        Task<PooledAdapter> first = rig.Pool.LoadAsync("x", source, cancellationToken: cancellation.Token);
        Task<PooledAdapter> second = rig.Pool.LoadAsync("x", source);
        rig.Scheduler.RunAll();

        cancellation.Cancel();

        Assert.That(first.IsCanceled);
        source.Release();
        Assert.That(rig.Run(second).IsLoaded);
    }

    [Test]
    public void ALoadThatNobodyWaitsForEndsThoughItsReadNeverReturns()
    {
        using var rig = new PoolRig(with: options => options with { MaxConcurrentLoads = 1 });
        var stuck = new FakeSource(TestAdapters.Make("stuck")) { IsHeld = true, HeedsCancellation = false };
        using var cancellation = new CancellationTokenSource();
        Task<PooledAdapter> call = rig.Pool.LoadAsync("stuck", stuck, cancellationToken: cancellation.Token);
        rig.Scheduler.RunAll();

        cancellation.Cancel();

        Assert.That(call.IsCanceled);
        Assert.That(rig.Pool.Find("stuck"), Is.Null);
        Assert.That(rig.Load("other").IsLoaded, "its thread's place is free");
        PooledAdapter again = rig.Register("stuck");
        rig.Run(rig.Pool.LoadAsync(again));
        stuck.Release();
        rig.Scheduler.RunAll();
        Assert.That(rig.LiveNames, Is.EqualTo(["other", "stuck"]));
    }

    [Test]
    public void AReadThatFailsLongAfterItsLoadWasCalledOffTouchesNothingOfTheNextOne()
    {
        using var rig = new PoolRig(deviceBytes: TestAdapters.Bytes(4));
        PooledAdapter blocking = rig.Load("blocking");
        AdapterLease lease = rig.Acquire(blocking);
        var source = new FakeSource(TestAdapters.Make("x")) { IsHeld = true, HeedsCancellation = false };
        PooledAdapter adapter = rig.Pool.Register("x", source);
        using var cancellation = new CancellationTokenSource();
        Task<PooledAdapter> first = rig.Pool.LoadAsync(adapter, cancellation.Token);
        rig.Scheduler.RunAll();
        cancellation.Cancel();
        Assert.That(first.IsCanceled);
        source.IsHeld = false;
        Task<PooledAdapter> second = rig.Pool.LoadAsync(adapter);
        rig.Scheduler.RunAll();
        Assert.That(rig.Pool.Statistics.WaitingForRoom, Is.EqualTo(1));

        source.Error = new InjectedException();
        source.Release();
        rig.Scheduler.RunAll();
        source.Error = null;
        lease.Dispose();

        Assert.That(rig.Run(second).IsLoaded);
        Assert.That((source.Reads, rig.Pool.Statistics.Failures), Is.EqualTo((3, 0L)));
    }

    [Test]
    public void AnAdapterThatDoesNotFitCostsItsCallerAnErrorAndNobodyARoom()
    {
        using var rig = new PoolRig(deviceBytes: TestAdapters.Bytes(4));
        PooledAdapter resident = rig.Load("resident");
        var bad = new LoraAdapter("bad", [Api.Sample.Factors("nowhere", 4, 6, 5)]);

        Assert.That(
            () => rig.Run(rig.Pool.LoadAsync("bad", AdapterSource.FromMemory(bad))),
            Throws.TypeOf<AdapterMismatchException>());
        Assert.That(
            () => rig.Run(rig.Pool.LoadAsync("large", AdapterSource.FromMemory(TestAdapters.Make("large", 64)))),
            Throws.TypeOf<PoolCapacityException>().With.Message.Contains("large"));
        Assert.That(
            () => rig.Run(rig.Pool.LoadAsync("/no/such/folder")),
            Throws.TypeOf<CheckpointException>().With.Message.Contains("no such folder"));

        Assert.That(resident.IsLoaded);
        Assert.That(rig.Pool.Statistics.Evictions, Is.Zero);
        Assert.That(rig.Pool.Statistics.Known, Is.EqualTo(1), "what never loaded is not kept in mind");
    }

    [Test]
    public void ARegisteredAdapterThatFailedIsTriedAgainWhenAskedFor()
    {
        using var rig = new PoolRig();
        var source = new FakeSource(TestAdapters.Make("x")) { Error = new InjectedException() };
        PooledAdapter adapter = rig.Pool.Register("x", source);

        Assert.That(() => rig.Run(rig.Pool.LoadAsync(adapter)), Throws.TypeOf<InjectedException>());
        source.Error = null;

        Assert.That(rig.Run(rig.Pool.LoadAsync(adapter)).IsLoaded);
    }

    [Test]
    public void ANameLeadsToOneSource()
    {
        using var rig = new PoolRig();
        LoraAdapter content = TestAdapters.Make("x");
        PooledAdapter adapter = rig.Pool.Register("x", AdapterSource.FromMemory(content));

        Assert.That(rig.Pool.Register("x", AdapterSource.FromMemory(content)), Is.SameAs(adapter));
        Assert.That(
            () => rig.Pool.Register("x", AdapterSource.FromMemory(TestAdapters.Make("x"))),
            Throws.InvalidOperationException.With.Message.Contains("another source"));
        Assert.That(
            () => rig.Pool.Register("x", AdapterSource.FromMemory(content), "tenant"),
            Throws.InvalidOperationException.With.Message.Contains("another tenant"));
        Assert.That(AdapterSource.FromPath("folder/x"), Is.EqualTo(AdapterSource.FromPath("folder/./x")));
    }

    [Test]
    public void AnotherPoolsAdapterIsRefused()
    {
        using var rig = new PoolRig();
        using var other = new PoolRig();
        PooledAdapter stranger = other.Register("stranger");
        using PoolBatch batch = rig.Batch();

        Assert.That(() => rig.Pool.LoadAsync(stranger), Throws.ArgumentException.With.Message.Contains("another pool"));
        Assert.That(() => rig.Pool.Pin(stranger), Throws.ArgumentException);
        Assert.That(() => rig.Pool.Unload(stranger), Throws.ArgumentException);
        Assert.That(() => batch.Add(stranger), Throws.ArgumentException);
    }

    [Test]
    public void UnloadEndsLoadsAndForgetsTheName()
    {
        using var rig = new PoolRig();
        var source = new FakeSource(TestAdapters.Make("x")) { IsHeld = true };
        Task<PooledAdapter> call = rig.Pool.LoadAsync("x", source);
        rig.Scheduler.RunAll();

        rig.Pool.Unload(rig.Pool.Find("x")!);

        Assert.That(call.Exception!.InnerException, Is.TypeOf<AdapterUnavailableException>());
        Assert.That(rig.Pool.Find("x"), Is.Null);
        source.Release();
    }

    [Test]
    public void UnloadDuringTheCopyTakesEffectWhenItHasArrived()
    {
        using var rig = new PoolRig();
        PooledAdapter adapter = rig.Register("x");
        rig.Device.OnUpload = _ => rig.Pool.Unload(adapter);

        Task<PooledAdapter> call = rig.Pool.LoadAsync(adapter);
        rig.Scheduler.RunAll();

        Assert.That(call.Exception!.InnerException, Is.TypeOf<AdapterUnavailableException>());
        Assert.That(rig.Device.Live, Is.Empty);
    }

    [Test]
    public void ReplacingServesTheOldVersionUntilTheNewOneIsThere()
    {
        using var rig = new PoolRig();
        PooledAdapter old = rig.Load("x");
        AdapterLease lease = rig.Acquire(old);
        var source = new FakeSource(TestAdapters.Make("x", 12)) { IsHeld = true };
        Task<PooledAdapter> replacing = rig.Pool.ReplaceAsync("x", source);
        rig.Scheduler.RunAll();
        Assert.That(rig.Pool.Find("x"), Is.SameAs(old));

        source.Release();
        PooledAdapter replaced = rig.Run(replacing);

        Assert.That(rig.Pool.Find("x"), Is.SameAs(replaced));
        Assert.That((replaced.Id > old.Id, old.IsRetired, old.IsLoaded), Is.EqualTo((true, true, true)), "leased");
        lease.Dispose();
        Assert.That(old.IsLoaded, Is.False);
        Assert.That(() => rig.Pool.LoadAsync(old), Throws.TypeOf<AdapterUnavailableException>());
    }

    [Test]
    public void AReplacementThatFailsLeavesTheOldVersion()
    {
        using var rig = new PoolRig();
        PooledAdapter old = rig.Load("x");

        var bad = new FakeSource(TestAdapters.Make("x")) { Error = new InjectedException() };

        Assert.That(() => rig.Run(rig.Pool.ReplaceAsync("x", bad)), Throws.TypeOf<InjectedException>());

        Assert.That(rig.Pool.Find("x"), Is.SameAs(old));
        Assert.That((old.IsRetired, old.IsLoaded), Is.EqualTo((false, true)));
    }

    [Test]
    public void TheLaterOfTwoReplacementsStays()
    {
        using var rig = new PoolRig();
        var slow = new FakeSource(TestAdapters.Make("x", 8)) { IsHeld = true };
        Task<PooledAdapter> first = rig.Pool.ReplaceAsync("x", slow);
        PooledAdapter second = rig.Run(rig.Pool.ReplaceAsync("x", new FakeSource(TestAdapters.Make("x", 16))));

        slow.Release();
        rig.Scheduler.RunAll();

        Assert.That(first.Exception!.InnerException, Is.TypeOf<AdapterUnavailableException>());
        Assert.That(rig.Pool.Find("x"), Is.SameAs(second));
        Assert.That(rig.Device.Live, Has.Count.EqualTo(1));
    }

    [Test]
    public void ASourceThatHasChangedGetsTheRoomThatItNeedsNow()
    {
        int rank = 8;
        using var rig = new PoolRig(deviceBytes: TestAdapters.Bytes(32));
        PooledAdapter changing = rig.Pool.Register("changing", new FakeSource(() => TestAdapters.Make("changing", rank)));
        PooledAdapter blocking = rig.Load("blocking", 32);
        using (AdapterLease lease = rig.Acquire(blocking))
        {
            _ = rig.Pool.LoadAsync(changing);
            rig.Scheduler.RunAll();
            Assert.That(rig.Pool.Statistics.WaitingForRoom, Is.EqualTo(1));
            rank = 24;
        }
        rig.Scheduler.RunAll();

        Assert.That(changing.IsLoaded);
        Assert.That(rig.Pool.Statistics.DeviceBytes, Is.EqualTo(TestAdapters.Bytes(24)));
    }

    [Test]
    public void StreamsAreReadAnewForEveryLoad()
    {
        using var folder = new Checkpoints.TempFolder();
        PeftAdapter.Write(folder.Path, TestAdapters.Make("streamed"));
        int opened = 0;
        IAdapterSource source = AdapterSource.FromStreams(
            "streamed", Open("adapter_config.json"), Open("adapter_model.safetensors"));
        using var rig = new PoolRig();

        Task<PooledAdapter> call = rig.Pool.LoadAsync("streamed", source);
        // The files are read on other threads, which come back to this one.
        while (!call.IsCompleted)
        {
            rig.Scheduler.RunAll();
            Thread.Yield();
        }

        Assert.That(call.Result.IsLoaded);
        Assert.That(opened, Is.EqualTo(2));
        Assert.That(rig.LiveNames, Is.EqualTo(["streamed"]));

        Func<CancellationToken, ValueTask<Stream>> Open(string file) => _ =>
        {
            opened++;
            return new(new MemoryStream(File.ReadAllBytes(Path.Combine(folder.Path, file))));
        };
    }

    [Test]
    public void AFolderIsItsOwnName()
    {
        using var folder = new Checkpoints.TempFolder();
        PeftAdapter.Write(folder.Path, TestAdapters.Make("x"));
        using var rig = new PoolRig();

        PooledAdapter adapter = rig.Run(rig.Pool.LoadAsync(folder.Path));

        Assert.That(adapter.Name, Is.EqualTo(folder.Path));
        Assert.That(rig.Pool.Find(folder.Path), Is.SameAs(adapter));
    }

    [Test]
    public void ADisposedPoolFailsWhatWaitsAndEverythingCanStillBeDisposed()
    {
        var rig = new PoolRig();
        PooledAdapter there = rig.Load("there");
        AdapterLease lease = rig.Acquire(there);
        PoolBatch batch = rig.Batch();
        batch.Add(there);
        batch.Set();
        var source = new FakeSource(TestAdapters.Make("x")) { IsHeld = true };
        Task<PooledAdapter> call = rig.Pool.LoadAsync("x", source);
        rig.Scheduler.RunAll();

        rig.Pool.Dispose();
        rig.Pool.Dispose();

        Assert.That(call.Exception!.InnerException, Is.TypeOf<ObjectDisposedException>());
        Assert.That(() => rig.Pool.LoadAsync(there), Api.Fails.AsDisposed(typeof(AdapterPool).FullName!));
        Assert.That(() => batch.Set(), Api.Fails.AsDisposed(typeof(AdapterPool).FullName!));
        batch.Dispose();
        lease.Dispose();
        source.Release();
        rig.Scheduler.RunAll();
        Assert.That(rig.Device.Violations, Is.Empty);
    }
}
