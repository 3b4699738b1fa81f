using LoraKernels.Serving;
using NUnit.Framework;
using static LoraKernels.Serving.SequenceState;
using Plan = LoraKernels.Tests.Serving.RecordingDevice.RecordedPlan;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// Steps of continuous batching: who goes along, who waits, what the plan says, and what a step keeps.
/// </summary>
public sealed class StepTests
{
    private static readonly long _one = TestAdapters.Bytes(4);

    [Test]
    public void RowsOfPrefillAndDecodeHaveTheirAdapters()
    {
        using var rig = new PoolRig();
        PooledAdapter a = rig.Load("a"), b = rig.Load("b");
        using PoolBatch batch = rig.Batch();

        batch.Add(a, rows: 3);
        batch.Add(null, rows: 2);
        batch.AddStacked([new RowAdapter(b, 0.5f), new RowAdapter(null), new RowAdapter(a, -1)]);
        batch.AddStacked([]);
        StepResult step = batch.Set();

        Assert.That(step, Is.EqualTo(new StepResult(4, 0, 0, 0, 7)));
        Assert.That(step.IsComplete);
        Plan plan = Plan.Of(batch);
        Assert.That(plan.RowOffsets, Is.EqualTo(new long[] { 0, 1, 2, 3, 3, 3, 5, 5 }));
        Assert.That(plan.Entries.Select(entry => entry.Adapter.Name), Is.EqualTo(["a", "a", "a", "b", "a"]));
        Assert.That(plan.Weights, Is.EqualTo(new[] { 1, 1, 1, 0.5f, -1 }));
        Assert.That(Enumerable.Range(0, 4).Select(batch.FirstRowOf), Is.EqualTo([0, 3, 5, 6]));
    }

    [Test]
    public void RowsWhoseAdapterIsOnItsWayAreLeftOutAndTheOthersGoAlong()
    {
        using var rig = new PoolRig();
        PooledAdapter there = rig.Load("there"), coming = rig.Register("coming");
        using PoolBatch batch = rig.Batch();
        Add();

        Assert.That(batch.Set(), Is.EqualTo(new StepResult(1, 1, 0, 0, 2)));

        Assert.That(batch.States.ToArray(), Is.EqualTo([Loading, Ready]));
        Assert.That(batch.Ready.ToArray(), Is.EqualTo([1]));
        Assert.That((batch.FirstRowOf(0), batch.FirstRowOf(1), batch.Rows), Is.EqualTo((-1, 0, 2)));
        Assert.That(Plan.Of(batch).Entries.Select(entry => entry.Adapter.Name), Is.EqualTo(["there", "there"]));

        rig.Scheduler.RunAll();
        Add();
        Assert.That(batch.Set(), Is.EqualTo(new StepResult(2, 0, 0, 0, 5)), "the step before has begun to load it");

        void Add()
        {
            batch.Clear();
            batch.Add(coming, rows: 3);
            batch.Add(there, rows: 2);
        }
    }

    [Test]
    public void WaitingForWhatIsOnItsWay()
    {
        using var rig = new PoolRig();
        PooledAdapter there = rig.Load("there"), coming = rig.Register("coming");
        using PoolBatch batch = rig.Batch();
        batch.Add(coming);
        batch.Add(there);

        Task<StepResult> waiting = batch.SetWhenLoadedAsync().AsTask();
        Assert.That((waiting.IsCompleted, Plan.Of(batch).Rows), Is.EqualTo((false, 0)));
        while (!waiting.IsCompleted)
            rig.Scheduler.RunAll();

        Assert.That(waiting.Result, Is.EqualTo(new StepResult(2, 0, 0, 0, 2)));
        Assert.That(Plan.Of(batch).Entries.Select(entry => entry.Adapter.Name), Is.EqualTo(["coming", "there"]));
    }

    [Test]
    public void WaitingTakesTheRoomOfTheStepBefore()
    {
        using var rig = new PoolRig(deviceBytes: _one);
        PooledAdapter there = rig.Load("there"), coming = rig.Register("coming");
        using PoolBatch batch = rig.Batch();
        batch.Add(there);
        batch.Set();
        batch.Clear();
        batch.Add(coming);

        Task<StepResult> waiting = batch.SetWhenLoadedAsync().AsTask();
        while (!waiting.IsCompleted)
            rig.Scheduler.RunAll();

        Assert.That(waiting.Result.IsComplete);
        Assert.That(rig.LiveNames, Is.EqualTo(["coming"]));
    }

    [Test]
    public void WaitingCanBeCancelled()
    {
        using var rig = new PoolRig();
        var source = new FakeSource(TestAdapters.Make("x")) { IsHeld = true };
        PooledAdapter coming = rig.Pool.Register("x", source);
        using PoolBatch batch = rig.Batch();
        batch.Add(coming);
        using var cancellation = new CancellationTokenSource();

        Task<StepResult> waiting = batch.SetWhenLoadedAsync(null, cancellation.Token).AsTask();
        rig.Scheduler.RunAll();
        cancellation.Cancel();

        Assert.That(() => waiting.GetAwaiter().GetResult(), Throws.InstanceOf<OperationCanceledException>());
        source.Release();
        rig.Scheduler.RunAll();
        Assert.That(coming.IsLoaded, "the load goes on");
    }

    [Test]
    public void WhatAStepUsesIsNotEvictedUntilAnotherIsSet()
    {
        using var rig = new PoolRig(deviceBytes: _one);
        PooledAdapter used = rig.Load("used"), next = rig.Register("next");
        using PoolBatch batch = rig.Batch();
        batch.Add(used);
        batch.Set();

        Task<PooledAdapter> loading = rig.Pool.LoadAsync(next);
        rig.Scheduler.RunAll();
        Assert.That((loading.IsCompleted, used.IsLoaded), Is.EqualTo((false, true)));
        batch.Clear();
        Assert.That(used.IsLoaded, "a step that is being put together holds nothing up yet");
        batch.Set();

        Assert.That(rig.Run(loading).IsLoaded);
        Assert.That(rig.LiveNames, Is.EqualTo(["next"]));
    }

    [Test]
    public void WhatIsUnloadedStaysForTheStepThatUsesIt()
    {
        using var rig = new PoolRig();
        PooledAdapter adapter = rig.Load("x");
        using PoolBatch batch = rig.Batch();
        batch.Add(adapter);
        batch.Set();

        rig.Pool.Unload(adapter);

        Assert.That(rig.Device.Live, Has.Count.EqualTo(1));
        Assert.That(batch.Set().Ready, Is.EqualTo(1), "a request under way ends with the version that it began with");
        batch.Clear();
        batch.Set();
        Assert.That(rig.Device.Live, Is.Empty);
        batch.Add(adapter);
        Assert.That(batch.Set(), Is.EqualTo(new StepResult(0, 0, 0, 1, 0)));
        Assert.That(batch.ErrorOf(0), Is.TypeOf<AdapterUnavailableException>().With.Message.Contains("unloaded"));
    }

    [Test]
    public void MoreThanFitsIsAnAnswerAndWhoComesFirstGoesAlong()
    {
        using var rig = new PoolRig(deviceBytes: 2 * _one);
        PooledAdapter[] adapters = [.. Enumerable.Range(0, 4).Select(i => rig.Register($"{i}"))];
        using PoolBatch batch = rig.Batch();
        SequenceState[] first = Set(0, 1, 2, 3);
        rig.Scheduler.RunAll();

        // Their sizes are not known before they were read once.
        Assert.That(first, Is.EqualTo([Loading, Loading, Loading, Loading]));
        Set(0, 1, 2, 3);
        rig.Scheduler.RunAll();
        Assert.That(Set(0, 1, 2, 3), Is.EqualTo([Ready, Ready, NoRoom, NoRoom]));
        Assert.That(Set(2, 0, 3, 1), Is.EqualTo([Loading, Ready, NoRoom, NoRoom]));
        rig.Scheduler.RunAll();
        Assert.That(Set(2, 0, 3, 1), Is.EqualTo([Ready, Ready, NoRoom, NoRoom]));

        SequenceState[] Set(params int[] order)
        {
            batch.Clear();
            foreach (int i in order)
                batch.Add(adapters[i]);
            batch.Set();
            return batch.States.ToArray();
        }
    }

    [Test]
    public void ASequenceThatWaitsIsNotStarvedByLaterOnes()
    {
        using var rig = new PoolRig(deviceBytes: 2 * _one);
        PooledAdapter late = rig.Load("late"), a = rig.Load("a"), b = rig.Load("b");
        Assert.That(late.IsLoaded, Is.False);
        using PoolBatch batch = rig.Batch();
        batch.Add(a);
        batch.Add(b);
        batch.Set();

        // From now on all three are in every step: without its claim, a and b would be held for ever.
        Assert.That(Set(), Is.EqualTo([Loading, Ready, NoRoom]));
        rig.Scheduler.RunAll();
        Assert.That(Set(), Is.EqualTo([Ready, Ready, NoRoom]));

        SequenceState[] Set()
        {
            batch.Clear();
            batch.Add(late);
            batch.Add(a);
            batch.Add(b);
            batch.Set();
            return batch.States.ToArray();
        }
    }

    [Test]
    public void SequencesOfTwoAdaptersDoNotBlockEachOther()
    {
        using var rig = new PoolRig(deviceBytes: 2 * _one);
        PooledAdapter[] all = [.. "abcd".Select(name => rig.Load($"{name}"))];
        rig.Run(rig.Pool.LoadAsync(all[0]));
        rig.Run(rig.Pool.LoadAsync(all[2]));
        using PoolBatch batch = rig.Batch();

        // Each has one of its two there; holding both of those, neither would ever get its other one.
        Assert.That(Set(), Is.EqualTo([Loading, NoRoom]));
        rig.Scheduler.RunAll();
        Assert.That(Set(), Is.EqualTo([Ready, NoRoom]));

        SequenceState[] Set()
        {
            batch.Clear();
            batch.AddStacked([new RowAdapter(all[0]), new RowAdapter(all[1])]);
            batch.AddStacked([new RowAdapter(all[2]), new RowAdapter(all[3])]);
            batch.Set();
            return batch.States.ToArray();
        }
    }

    [Test]
    public void ASequenceThatDoesNotFitLeavesWhatItHadClaimedToLaterOnes()
    {
        using var rig = new PoolRig(deviceBytes: 3 * _one);
        PooledAdapter[] all = [.. "cdabe".Select(name => rig.Load($"{name}"))];
        using PoolBatch batch = rig.Batch();
        batch.AddStacked([new RowAdapter(all[2]), new RowAdapter(all[3])]);
        batch.AddStacked([new RowAdapter(all[0]), new RowAdapter(all[1])]);
        batch.Add(all[4]);

        batch.Set();

        Assert.That(batch.States.ToArray(), Is.EqualTo([Ready, NoRoom, Ready]));
    }

    [Test]
    public void WhatOthersHoldIsNotToBeHad()
    {
        using var rig = new PoolRig(deviceBytes: 2 * _one);
        PooledAdapter pinned = rig.Load("pinned"), leased = rig.Load("leased"), third = rig.Register("third");
        rig.Pool.Pin(pinned);
        AdapterLease lease = rig.Acquire(leased);
        Task<PooledAdapter> measured = rig.Pool.LoadAsync(third);
        rig.Scheduler.RunAll();
        using PoolBatch batch = rig.Batch();
        batch.Add(third);
        batch.Add(pinned);

        Assert.That(batch.Set(), Is.EqualTo(new StepResult(1, 0, 1, 0, 1)));
        lease.Dispose();
        Assert.That(rig.Run(measured).IsLoaded);
        Assert.That(batch.Set(), Is.EqualTo(new StepResult(2, 0, 0, 0, 2)));
        rig.Pool.Unpin(pinned);
    }

    [Test]
    public void ABatchesCapacityIsAnAnswerToo()
    {
        using var rig = new PoolRig();
        PooledAdapter small = rig.Load("small", 8), large = rig.Load("large", 64);
        using PoolBatch batch = rig.Pool.CreateBatch(new LoraBatchCapacity(4, 4, 1, 9));

        Assert.That(Set((small, 5)), Is.EqualTo([NoRoom]), "rows");
        Assert.That(Set((small, 1), (large, 1), (null, 1)), Is.EqualTo([Ready, NoRoom, Ready]), "segments");
        Assert.That(Set((large, 2), (large, 1), (small, 2)), Is.EqualTo([NoRoom, Ready, NoRoom]), "rank tiles");
        batch.Clear();
        batch.AddStacked([.. Enumerable.Repeat(new RowAdapter(small), 5)]);
        Assert.That(batch.Set().NoRoom, Is.EqualTo(1), "entries");

        SequenceState[] Set(params (PooledAdapter? Adapter, int Rows)[] sequences)
        {
            batch.Clear();
            foreach ((PooledAdapter? adapter, int rows) in sequences)
                batch.Add(adapter, rows);
            batch.Set();
            return batch.States.ToArray();
        }
    }

    [Test]
    public void AnAdapterThatCannotBeLoadedIsRefusedUntilSomebodyAsksForItAgain()
    {
        using var rig = new PoolRig();
        var source = new FakeSource(TestAdapters.Make("x")) { Error = new InjectedException() };
        PooledAdapter adapter = rig.Pool.Register("x", source);
        using PoolBatch batch = rig.Batch();
        batch.Add(adapter);
        batch.Add(null);
        batch.Set();
        rig.Scheduler.RunAll();

        Assert.That(batch.Set(), Is.EqualTo(new StepResult(1, 0, 0, 1, 1)));
        Assert.That(batch.ErrorOf(0), Is.SameAs(source.Error));
        rig.Scheduler.RunAll();
        Assert.That(source.Reads, Is.EqualTo(1), "not once a step");

        source.Error = null;
        rig.Run(rig.Pool.LoadAsync(adapter));
        Assert.That(batch.Set().IsComplete);
    }

    [Test]
    public void SumsThatAreNotDefinedAreRefusedByRowAndAdapter()
    {
        using var rig = new PoolRig();
        PooledAdapter plain = Load("plain", TestAdapters.Make("plain"));
        PooledAdapter dora = Load("dora", TestAdapters.Make("dora", dora: true));
        PooledAdapter other = Load("other", TestAdapters.Make("other", dora: true));
        PooledAdapter full = Load("full", TestAdapters.MakeReplacing("full"));
        PooledAdapter alsoFull = Load("also full", TestAdapters.MakeReplacing("also full"));
        using PoolBatch batch = rig.Batch();
        batch.Add(plain, rows: 3);
        batch.AddStacked([new RowAdapter(plain, 0.5f), new RowAdapter(dora), new RowAdapter(other)]);
        batch.AddStacked([new RowAdapter(plain), new RowAdapter(dora, 0.5f)], rows: 2);
        batch.AddStacked([new RowAdapter(dora), new RowAdapter(plain), new RowAdapter(dora)]);
        batch.AddStacked([new RowAdapter(full), new RowAdapter(alsoFull)]);
        batch.AddStacked([new RowAdapter(full), new RowAdapter(plain)]);

        Assert.That(batch.Set(), Is.EqualTo(new StepResult(3, 0, 0, 3, 5)));

        Assert.That(batch.States.ToArray(), Is.EqualTo([Ready, Ready, Refused, Refused, Refused, Ready]));
        var error = (AdapterStackingException)batch.ErrorOf(2)!;
        Assert.That((error.Sequence, error.FirstRow, error.Rows), Is.EqualTo((2, 4, 2)));
        Assert.That(error.Adapters, Is.EqualTo(["plain", "dora"]));
        Assert.That(error.Message, Does.Contain("rows 4 … 5").And.Contain("'dora' has DoRA's magnitudes").And.Contain("0.5"));
        Assert.That(batch.ErrorOf(3)!.Message, Does.Contain("'dora'").And.Contain("twice"));
        Assert.That(batch.ErrorOf(4)!.Message, Does.Contain("'full' and 'also full'").And.Contain("one adapter at a time"));

        PooledAdapter Load(string name, LoraAdapter content) =>
            rig.Run(rig.Pool.LoadAsync(name, AdapterSource.FromMemory(content)));
    }

    [Test]
    public void AFailedStepKeepsTheOneBefore()
    {
        var faults = new Faults();
        using var rig = new PoolRig(faults: faults, deviceBytes: 2 * _one);
        PooledAdapter before = rig.Load("before"), after = rig.Load("after");
        using PoolBatch batch = rig.Batch();
        batch.Add(before);
        batch.Set();
        batch.Clear();
        batch.Add(after);
        faults.SucceedFirst = 0;

        Assert.That(() => batch.Set(), Throws.TypeOf<InjectedException>());

        _ = rig.Pool.LoadAsync(rig.Register("third"));
        rig.Scheduler.RunAll();
        Assert.That(rig.LiveNames, Is.EqualTo(["before", "third"]), "the plan still names the first");
        Assert.That(Plan.Of(batch).Entries.Single().Adapter.Name, Is.EqualTo("before"));
    }

    [Test]
    public void BadSequencesAreRefusedAtOnce()
    {
        using var rig = new PoolRig();
        PooledAdapter adapter = rig.Register("x");
        using PoolBatch batch = rig.Batch();

        Assert.That(() => batch.Add(adapter, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(
            () => batch.AddStacked([new RowAdapter(adapter, float.NaN)]),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("'x'"));
        Assert.That(() => batch.ErrorOf(0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(batch.Sequences, Is.Zero);
    }

    [Test]
    public void StepsAllocateNothing()
    {
        using var rig = new PoolRig();
        PooledAdapter[] adapters = [.. Enumerable.Range(0, 40).Select(i => rig.Load($"{i}"))];
        using PoolBatch batch = rig.Pool.CreateBatch(LoraBatchCapacity.ForRows(256, 8, 2));
        var terms = new RowAdapter[2];
        rig.Device.IsQuiet = true;
        for (int i = 0; i < 50; i++)
            Step();

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            Step();

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That(batch.Rows, Is.EqualTo(64));

        void Step()
        {
            batch.Clear();
            for (int i = 0; i < 32; i++)
            {
                terms[0] = new RowAdapter(adapters[i]);
                terms[1] = new RowAdapter(adapters[(i + 7) % 40], 0.5f);
                batch.AddStacked(terms, rows: 2);
            }
            batch.Set();
        }
    }
}
