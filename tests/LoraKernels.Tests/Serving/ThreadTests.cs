using System.Globalization;
using LoraKernels.Serving;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// Threads: what blocks one blocks no step, and eight at once keep the books; LORAKERNELS_POOL_STRESS=100000 gives each as
/// many rounds.
/// </summary>
public sealed class ThreadTests
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);

    [TestCase(false), TestCase(true)]
    public void ALoadThatBlocksHoldsNothingThatAStepNeeds(bool inUpload)
    {
        using var blocked = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var device = new RecordingDevice();
        using var pool = new AdapterPool(device, new AdapterPoolOptions { DeviceBytes = 3 * TestAdapters.Bytes(4) });
        PooledAdapter there = pool.LoadAsync("there", Source("there")).WaitAsync(_patience).Result;
        if (inUpload)
            device.OnUpload = adapter => Block(adapter.Name == "stuck");
        var stuck = new FakeSource(() =>
        {
            Block(!inUpload);
            return TestAdapters.Make("stuck");
        });
        Task<PooledAdapter> loading = pool.LoadAsync("stuck", stuck);
        Assert.That(blocked.Wait(_patience));

        // On a thread of its own, so that a lock that is held fails the test instead of hanging it.
        Task steps = Task.Run(() =>
        {
            using PoolBatch batch = pool.CreateBatch(LoraBatchCapacity.ForRows(8, 8));
            for (int i = 0; i < 100; i++)
            {
                batch.Clear();
                batch.Add(there, rows: 2);
                batch.Add(pool.Find("stuck"));
                Assert.That(batch.Set(), Is.EqualTo(new StepResult(1, 1, 0, 0, 2)));
            }
            Assert.That(pool.TryAcquire(there, out AdapterLease? lease));
            lease!.Dispose();
            pool.Pin(there);
            pool.Unpin(there);
            Assert.That(pool.Statistics.Loading, Is.EqualTo(1));
            Assert.That(pool.LoadAsync("other", Source("other")).WaitAsync(_patience).Result.IsLoaded, "nor another load");
            pool.Unload(pool.Find("other")!);
        });
        steps.WaitAsync(_patience).GetAwaiter().GetResult();

        Assert.That(loading.IsCompleted, Is.False);
        goOn.Set();
        Assert.That(loading.WaitAsync(_patience).Result.IsLoaded);

        void Block(bool here)
        {
            if (!here)
                return;
            blocked.Set();
            goOn.Wait();
        }
    }

    [Test]
    public void EightThreadsKeepTheBooks()
    {
        const int Threads = 8, Adapters = 60;
        int rounds = int.TryParse(
            Environment.GetEnvironmentVariable("LORAKERNELS_POOL_STRESS"), CultureInfo.InvariantCulture, out int asked)
                ? asked
                : 400;
        var device = new RecordingDevice();
        var pool = new AdapterPool(
            device,
            new AdapterPoolOptions
            {
                DeviceBytes = 40 * TestAdapters.Bytes(8),
                HostBytes = 20_000,
                MaxConcurrentLoads = 3,
                DefaultTenantQuota = new PoolQuota(Adapters: 20),
            });
        for (int i = 0; i < Adapters; i++)
            pool.Register($"{i}", Source($"{i}", 1 + i % 16), i % 3 == 0 ? $"tenant {i % 2}" : null);

        Task[] threads = [.. Enumerable.Range(0, Threads).Select(seed => Task.Factory.StartNew(
            () => Work(pool, device, seed, rounds),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Task.WaitAll(threads);
        // Loads under way still arrive, and replacements then take a name.
        Assert.That(SpinWait.SpinUntil(
            () =>
            {
                for (int i = 0; i < Adapters; i++)
                {
                    if (pool.Find($"{i}") is { } adapter)
                        pool.Unload(adapter);
                }
                return pool.Statistics is { Loading: 0, Known: 0 } && device.Live.Count == 0;
            },
            _patience));

        PoolStatistics left = pool.Statistics;
        Assert.That(device.Violations, Is.Empty);
        Assert.That(
            (left.DeviceBytes, left.HeldBytes, left.HostBytes, left.Loading, left.Known), Is.EqualTo((0L, 0L, 0L, 0, 0)));
        pool.Dispose();
    }

    private static void Work(AdapterPool pool, RecordingDevice device, int seed, int rounds)
    {
        var random = new Random(seed);
        var leases = new List<AdapterLease>();
        using PoolBatch batch = pool.CreateBatch(LoraBatchCapacity.ForRows(16, 16, 2));
        for (int round = 0; round < rounds; round++)
        {
            string name = $"{random.Next(60)}";
            if (pool.Find(name) is not { } adapter)
                continue;
            switch (random.Next(10))
            {
                case < 5:
                    batch.Clear();
                    for (int i = random.Next(1, 5); i > 0; i--)
                        batch.Add(pool.Find($"{random.Next(60)}"), random.Next(1, 4));
                    batch.Set();
                    foreach (int ready in batch.Ready)
                        AssertPlan(batch, ready);
                    break;
                case 5:
                    LoadAndPerhapsCancel(pool, adapter, random.Next(2) == 0);
                    break;
                case 6 when leases.Count < 3:
                    if (pool.TryAcquire(adapter, out AdapterLease? lease))
                        leases.Add(lease);
                    break;
                case 7 when leases.Count > 0:
                    leases[0].Dispose();
                    leases.RemoveAt(0);
                    break;
                case 8:
                    _ = pool.ReplaceAsync(name, Source(name, random.Next(1, 16)), adapter.Tenant);
                    break;
                default:
                    pool.Prefetch(adapter);
                    break;
            }
            foreach (AdapterLease held in leases)
                Assert.That(held.Adapter.IsLoaded, "a leased adapter has gone");
        }
        leases.ForEach(lease => lease.Dispose());

        void AssertPlan(PoolBatch set, int ready)
        {
            RecordingDevice.RecordedPlan plan = RecordingDevice.RecordedPlan.Of(set);
            long entry = plan.RowOffsets[set.FirstRowOf(ready)];
            if (plan.RowOffsets[set.FirstRowOf(ready) + 1] == entry)
                return;
            RecordingDevice.RecordedAdapter stored = plan.Entries[entry];
            Assert.That(device.Find(stored.Id), Is.SameAs(stored), "what a step uses has gone");
        }
    }

    private static void LoadAndPerhapsCancel(AdapterPool pool, PooledAdapter adapter, bool cancel)
    {
        using var cancellation = new CancellationTokenSource();
        try
        {
            _ = pool.LoadAsync(adapter, cancellation.Token).Exception;
        }
        catch (AdapterUnavailableException)
        {
            Assert.That(adapter.IsRetired, "another thread has replaced it meanwhile");
        }
        if (cancel)
            cancellation.Cancel();
    }

    private static FakeSource Source(string name, int rank = 4) => new(TestAdapters.Make(name, rank));
}
