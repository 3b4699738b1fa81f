using LoraKernels.Serving;
using Plan = LoraKernels.Tests.Serving.RecordingDevice.RecordedPlan;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// An engine, its users and their mishaps, from one seed: adapters are loaded, leased, named in steps, pinned,
/// replaced, unloaded and called off in any order, reads and uploads fail, and loads go on one piece at a time in
/// between. An oracle that knows only what was asked for and what lies on the device checks every answer.
/// </summary>
internal sealed partial class PoolSimulation : IDisposable
{
    private const int Batches = 3;
    private const int FullCheckEvery = 64;
    private const int MostCalls = 40;
    private const int MostLeases = 12;
    private const int MostPins = 6;
    private const int Skew = 6;

    private readonly SimulationSize _size;
    private readonly Random _random;
    private readonly SteppedScheduler _scheduler;
    private readonly RecordingDevice _device;
    private readonly AdapterPool _pool;
    private readonly TestClock _clock = new();
    private readonly Action<PoolBatch, Plan>? _onStep;
    private readonly Func<string, int, LoraAdapter> _make;
    private readonly Dictionary<PooledAdapter, string> _contents = [];
    private readonly List<PooledAdapter> _old = [];
    private readonly List<Call> _calls = [];
    private readonly List<AdapterLease> _leases = [];
    private readonly List<PooledAdapter> _pins = [];
    private readonly PoolBatch[] _batches;
    private readonly List<TaskCompletionSource> _reads = [];
    private bool _hasFaults;
    private int _lastContent;
    private string _doing = "";

    /// <param name="seed">Everything follows from it.</param>
    /// <param name="size">How much of everything.</param>
    /// <param name="inner">A real device, or null for one that only records.</param>
    /// <param name="make">An adapter by its content's name and rank.</param>
    /// <param name="onStep">Looks at every step that was set.</param>
    public PoolSimulation(
        int seed, SimulationSize size, IPoolDevice? inner, Func<string, int, LoraAdapter> make,
        Action<PoolBatch, Plan>? onStep = null)
    {
        _size = size;
        _random = new Random(seed);
        _scheduler = new SteppedScheduler(seed);
        _make = make;
        _onStep = onStep;
        _device = new RecordingDevice(inner) { OnUpload = _ => MayFail() };
        _pool = new AdapterPool(_device, new AdapterPoolOptions
        {
            DeviceBytes = size.DeviceBytes,
            MaxAdapters = size.Places,
            HostBytes = size.HostBytes,
            MaxConcurrentLoads = 3,
            Scheduler = _scheduler,
            TimeProvider = _clock,
            DefaultTenantQuota = size.TenantQuota,
        });
        _batches = [.. Enumerable.Range(0, Batches).Select(_ => _pool.CreateBatch(LoraBatchCapacity.ForRows(64, 512, 4)))];
    }

    public int Steps { get; private set; }

    public int ReadySequences { get; private set; }

    public PoolStatistics Figures { get; private set; }

    public void Run(int operations)
    {
        for (int i = 0; i < operations; i++)
        {
            if (i % 1000 == 0)
                _hasFaults = _random.Next(3) == 0;
            Operate();
            CheckCalls();
            CheckBooks();
            if (i % FullCheckEvery == 0)
                CheckEverything();
        }
        WindUp();
    }

    /// <summary>Also after a failure: what is native must not be left to the collector.</summary>
    public void Dispose()
    {
        foreach (PoolBatch batch in _batches)
            batch.Dispose();
        _pool.Dispose();
    }

    private void Operate()
    {
        switch (_random.Next(100))
        {
            case < 35:
                _doing = "loads go on";
                for (int i = _random.Next(20); i > 0; i--)
                    _scheduler.RunOne();
                _clock.Advance(TimeSpan.FromMilliseconds(1));
                break;
            case < 45:
                ReleaseRead();
                break;
            case < 65:
                Step(_batches[_random.Next(Batches)]);
                break;
            case < 73:
                Load();
                break;
            case < 78:
                Acquire();
                break;
            case < 83:
                EndLease();
                break;
            case < 86:
                Pin();
                break;
            case < 89:
                Unpin();
                break;
            case < 91:
                Unload();
                break;
            case < 94:
                Replace();
                break;
            case < 97:
                CancelCall();
                break;
            default:
                _doing = "prefetch";
                _pool.Prefetch(Any());
                break;
        }
    }

    /// <summary>A version by a popular name mostly; sometimes one that may be retired.</summary>
    private PooledAdapter Any()
    {
        if (_old.Count > 0 && _random.Next(12) == 0)
            return _old[_random.Next(_old.Count)];
        string name = RandomName();
        return _pool.Find(name) ?? Register(name);
    }

    private string RandomName() => $"{(int)(_size.Adapters * Math.Pow(_random.NextDouble(), Skew))}";

    private static string? TenantOf(string name) => name.Length % 2 == 0 ? $"tenant {name[^1]}" : null;

    private PooledAdapter Register(string name)
    {
        Source source = NewSource();
        PooledAdapter adapter = _pool.Register(name, source, TenantOf(name));
        _contents.Add(adapter, source.Content);
        return adapter;
    }

    private Source NewSource() => new(this, $"content {++_lastContent}", _random.Next(4, _size.MaxRank + 1));

    private void Load()
    {
        PooledAdapter adapter = Any();
        _doing = $"load {adapter}";
        if (_calls.Count >= MostCalls)
            return;
        Start(adapter, token => _pool.LoadAsync(adapter, token));
    }

    private void Acquire()
    {
        PooledAdapter adapter = Any();
        _doing = $"acquire {adapter}";
        if (_leases.Count >= MostLeases || _calls.Count >= MostCalls)
            return;
        if (_random.Next(2) == 0)
        {
            if (_pool.TryAcquire(adapter, out AdapterLease? lease))
                _leases.Add(lease);
            return;
        }
        Start(adapter, token => _pool.AcquireAsync(adapter, token));
    }

    private void Replace()
    {
        string name = RandomName();
        _doing = $"replace {name}";
        if (_calls.Count >= MostCalls)
            return;
        PooledAdapter? before = _pool.Find(name);
        if (before is not null)
            _old.Add(before);
        if (_old.Count > 50)
            _old.RemoveAt(0);
        Source source = NewSource();
        var cancellation = new CancellationTokenSource();
        _calls.Add(new Call(
            _pool.ReplaceAsync(name, source, TenantOf(name), cancellation.Token), cancellation, null, name, source.Content));
    }

    private void Start(PooledAdapter adapter, Func<CancellationToken, Task> call)
    {
        var cancellation = new CancellationTokenSource();
        bool isRetired = adapter.IsRetired;
        try
        {
            _calls.Add(new Call(call(cancellation.Token), cancellation, adapter, adapter.Name, _contents[adapter]));
            Require(!isRetired, "a retired version was taken");
        }
        catch (AdapterUnavailableException)
        {
            Require(isRetired, "a version that is not retired was refused");
        }
    }

    private void CancelCall()
    {
        if (_calls.Count == 0)
            return;
        Call call = _calls[_random.Next(_calls.Count)];
        _doing = $"cancel {call.Name}";
        call.Cancellation.Cancel();
        Require(call.Task.IsCompleted, "a cancelled call goes on");
    }

    private void EndLease()
    {
        if (_leases.Count == 0)
            return;
        int index = _random.Next(_leases.Count);
        _doing = $"end the lease of {_leases[index].Adapter}";
        _leases[index].Dispose();
        _leases.RemoveAt(index);
    }

    private void Pin()
    {
        PooledAdapter adapter = Any();
        _doing = $"pin {adapter}";
        if (_pins.Count >= MostPins || adapter.IsRetired)
            return;
        _pool.Pin(adapter);
        _pins.Add(adapter);
    }

    private void Unpin()
    {
        if (_pins.Count == 0)
            return;
        int index = _random.Next(_pins.Count);
        _doing = $"unpin {_pins[index]}";
        _pool.Unpin(_pins[index]);
        _pins.RemoveAt(index);
    }

    private void Unload()
    {
        PooledAdapter adapter = Any();
        _doing = $"unload {adapter}";
        _pool.Unload(adapter);
        _old.Add(adapter);
        if (_old.Count > 50)
            _old.RemoveAt(0);
        Require(adapter.IsRetired && _pool.Find(adapter.Name) != adapter, "an unloaded version is still known");
    }

    private void ReleaseRead()
    {
        _doing = "reads end";
        for (int i = _random.Next(10); i > 0 && _reads.Count > 0; i--)
        {
            int index = _random.Next(_reads.Count);
            TaskCompletionSource read = _reads[index];
            _reads.RemoveAt(index);
            read.TrySetResult();
        }
    }

    private void MayFail()
    {
        if (_hasFaults && _random.Next(8) == 0)
            throw new InjectedException();
    }

    private void Step(PoolBatch batch)
    {
        _doing = "step";
        batch.Clear();
        int sequences = _random.Next(0, 9);
        var named = new List<RowAdapter[]>();
        for (int i = 0; i < sequences; i++)
        {
            RowAdapter[] terms = [.. Enumerable.Range(0, _random.Next(10) == 0 ? 2 : 1)
                .Select(_ => new RowAdapter(_random.Next(10) == 0 ? null : Any(), _random.Next(4) == 0 ? 0.5f : 1))];
            named.Add(terms);
            batch.AddStacked(terms, _random.Next(1, 4));
        }
        PooledAdapter[] distinct =
            [.. named.SelectMany(terms => terms).Select(term => term.Adapter).OfType<PooledAdapter>().Distinct()];
        PoolStatistics before = _pool.Statistics;
        bool mustFit = distinct.Sum(adapter => adapter.Bytes) <= _size.DeviceBytes - before.HeldBytes
            && distinct.Length + before.Resident + before.Loading <= _size.Places
            && distinct.All(adapter => adapter.Tenant is null);

        StepResult result = batch.Set();

        Steps++;
        Require(result.Ready + result.Loading + result.NoRoom + result.Refused == sequences, "sequences are lost");
        Plan plan = Plan.Of(batch);
        Require(plan.Rows == result.Rows, "rows of the plan");
        for (int i = 0; i < sequences; i++)
            CheckSequence(batch, plan, i, named[i], mustFit);
        ReadySequences += result.Ready;
        _onStep?.Invoke(batch, plan);
    }

    /// <summary>Everybody goes home: nothing is left.</summary>
    private void WindUp()
    {
        _doing = "wind up";
        _hasFaults = false;
        Figures = _pool.Statistics;
        while (_calls.Count > 0 || _leases.Count > 0 || _pool.Statistics.Loading > 0)
        {
            foreach (PooledAdapter pinned in _pins)
                _pool.Unpin(pinned);
            _pins.Clear();
            foreach (PoolBatch batch in _batches)
            {
                batch.Clear();
                batch.Set();
            }
            while (_reads.Count > 0)
                ReleaseRead();
            _scheduler.RunAll();
            CheckCalls();
            foreach (AdapterLease lease in _leases)
                lease.Dispose();
            bool moved = _leases.Count > 0 || _reads.Count > 0;
            _leases.Clear();
            _scheduler.RunAll();
            Require(moved || _reads.Count > 0 || _pool.Statistics.Loading == 0, "a load waits for nothing");
        }
        CheckEverything();
        CheckBooks();
        for (int i = 0; i < _size.Adapters; i++)
        {
            if (_pool.Find($"{i}") is { } adapter)
                _pool.Unload(adapter);
        }
        foreach (PoolBatch batch in _batches)
        {
            batch.Clear();
            batch.Set();
        }
        PoolStatistics left = _pool.Statistics;
        Require(_device.Live.Count == 0 && _device.LiveBytes == 0, "adapters are left on the device");
        Require(left is { DeviceBytes: 0, HeldBytes: 0, HostBytes: 0, Loading: 0, Known: 0, Resident: 0 }, $"left: {left}");
    }

    private sealed record Call(
        Task Task, CancellationTokenSource Cancellation, PooledAdapter? Adapter, string Name, string Content);

    /// <summary>
    /// Reads at once, or when the simulation comes to it; sometimes fails, sometimes does not heed cancellation.
    /// </summary>
    private sealed class Source(PoolSimulation simulation, string content, int rank) : IAdapterSource
    {
        public string Content => content;

        public async ValueTask<LoraAdapter> ReadAsync(CancellationToken cancellationToken)
        {
            if (simulation._random.Next(2) == 0)
            {
                var read = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                simulation._reads.Add(read);
                if (simulation._random.Next(4) > 0)
                    cancellationToken.UnsafeRegister(_ => read.TrySetCanceled(cancellationToken), null);
                await read.Task.ConfigureAwait(true);
            }
            simulation.MayFail();
            return simulation._make(content, rank);
        }
    }
}

/// <summary>How much of everything there is in a simulation.</summary>
/// <param name="Adapters">Names.</param>
/// <param name="Places">How many adapters the device may hold.</param>
/// <param name="MaxRank">Ranks are 4 … this.</param>
/// <param name="DeviceBytes">The device's budget.</param>
/// <param name="HostBytes">The host tier's.</param>
/// <param name="TenantQuota">Of each tenant.</param>
internal sealed record SimulationSize(
    int Adapters, int Places, int MaxRank, long DeviceBytes, long HostBytes, PoolQuota TenantQuota);
