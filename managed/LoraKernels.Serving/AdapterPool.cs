using LoraKernels.Checkpoints;

namespace LoraKernels.Serving;

/// <summary>
/// Hundreds or thousands of adapters for one base model, as many of them on the device as fit, the others in host
/// memory or where they came from. Adapters are loaded while steps run; none that is in use is ever evicted,
/// overwritten or freed.
/// </summary>
/// <remarks>
/// Any number of threads may use a pool. Its lock is held for bookkeeping only, never while something is read, copied
/// or waited for. What S-LoRA (Sheng et al., arXiv:2311.03285) and LoRAX showed, as a library.
/// </remarks>
public sealed partial class AdapterPool : IDisposable
{
    private readonly Lock _gate = new();
    private readonly AdapterPoolOptions _options;
    private readonly IPoolDevice _device;
    private readonly PoolLedger _ledger;
    private readonly HostTier _host;
    private readonly PoolMeter _meter;

    /// <summary>Makes a pool without adapters.</summary>
    /// <param name="device">Where adapters go.</param>
    /// <param name="modules">The base's layers; every name, of layers and slices, occurs once.</param>
    /// <param name="options">Budgets, quotas and the like.</param>
    /// <param name="baseModel">The base model, such as "mistralai/Mistral-7B-v0.1"; null if unknown.</param>
    /// <exception cref="ArgumentException">A name that occurs twice, null, or an option out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.OutOfMemory"/>.</exception>
    public AdapterPool(
        Device device, IEnumerable<LoraModule> modules, AdapterPoolOptions options, string? baseModel = null)
        : this(MakeDevice(device, modules, options, baseModel), options)
    {
    }

    /// <summary>Makes a pool for the weights of a checkpoint, by their names and shapes there.</summary>
    /// <param name="device">Where adapters go.</param>
    /// <param name="model">The base model; needed for this call only.</param>
    /// <param name="options">
    /// Budgets, quotas and the like. DoRA needs the base's weights: give them by
    /// <see cref="AdapterPoolOptions.Adapters"/>.
    /// </param>
    /// <exception cref="ArgumentException">An option out of its range.</exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.OutOfMemory"/>.</exception>
    public AdapterPool(Device device, Checkpoint model, AdapterPoolOptions options)
        : this(device, Require(model).LoraModules(), options, model.BaseModelName)
    {
    }

    internal AdapterPool(IPoolDevice device, AdapterPoolOptions options)
    {
        options.Check(nameof(options));
        _options = options;
        _device = device;
        _freeSlots = options.MaxConcurrentLoads;
        _host = new HostTier(options.HostBytes);
        _ledger = new PoolLedger(
            this, new PoolQuota(options.DeviceBytes, options.MaxAdapters), options.QuotaOf, options.EvictionPolicy);
        _meter = new PoolMeter(options.Name, () => Statistics);
    }

    /// <summary>The pool's figures now.</summary>
    public PoolStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return new PoolStatistics(
                    _ledger.Known, _ledger.Resident, _ledger.Device.Used, _ledger.Device.Held, _host.Count, _host.Bytes,
                    _operations.Count, _ledger.Waiting.Count, _hits, _misses, _loads, _failures, _ledger.Evictions,
                    _loadedBytes);
            }
        }
    }

    /// <summary>The version that a name leads to now, or null.</summary>
    /// <param name="name">As it was registered or loaded.</param>
    public PooledAdapter? Find(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        lock (_gate)
            return _ledger.Find(name);
    }

    /// <summary>Makes an adapter known without loading it: rows may name it, and the first ones load it.</summary>
    /// <param name="name">What it will be known by, in all of the pool.</param>
    /// <param name="source">Where it is read from.</param>
    /// <param name="tenant">Whose quota it counts against, or null.</param>
    /// <returns>The version; the one known already where source and tenant are the same.</returns>
    /// <exception cref="InvalidOperationException">
    /// The name is known with another source or tenant; see <see cref="ReplaceAsync"/>.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.DeviceLost"/>.</exception>
    public PooledAdapter Register(string name, IAdapterSource source, string? tenant = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(source);
        lock (_gate)
        {
            ThrowIfUnusable();
            PooledAdapter adapter = FindOrAdd(name, source, tenant);
            adapter.ForgetOnFailure = false;
            return adapter;
        }
    }

    /// <summary>
    /// Forgets an adapter. Waits for nothing: steps that run, batches and leases that hold this version keep it, and
    /// its memory is free once they let go. Loads of it that are under way fail.
    /// </summary>
    /// <param name="adapter">A version of this pool; one that is retired already is left as it is.</param>
    /// <exception cref="ArgumentException">It is another pool's.</exception>
    public void Unload(PooledAdapter adapter)
    {
        RequireOwn(adapter);
        List<Action>? after;
        lock (_gate)
        {
            Retire(adapter);
            after = Close();
        }
        Run(after);
    }

    /// <summary>
    /// Keeps an adapter on the device until as many calls of <see cref="Unpin"/>, and loads it if it is not there.
    /// </summary>
    /// <param name="adapter">A version of this pool.</param>
    /// <exception cref="ArgumentException">It is another pool's.</exception>
    /// <exception cref="AdapterUnavailableException">It was unloaded or replaced.</exception>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.DeviceLost"/>.</exception>
    public void Pin(PooledAdapter adapter)
    {
        RequireOwn(adapter);
        List<Action>? after;
        lock (_gate)
        {
            ThrowIfUnusable();
            ThrowIfRetired(adapter);
            _ledger.Pin(adapter);
            if (!adapter.IsLoaded)
                Start(adapter).IsWantedAnyway = true;
            after = Close();
        }
        Run(after);
    }

    /// <summary>Takes back one <see cref="Pin"/>.</summary>
    /// <param name="adapter">A version of this pool.</param>
    /// <exception cref="ArgumentException">It is another pool's.</exception>
    /// <exception cref="InvalidOperationException">
    /// It is not pinned, and not retired, which takes all pins away.
    /// </exception>
    public void Unpin(PooledAdapter adapter)
    {
        RequireOwn(adapter);
        List<Action>? after;
        lock (_gate)
        {
            if (adapter.Pins == 0)
            {
                if (adapter.IsRetired)
                    return;
                throw new InvalidOperationException($"adapter '{adapter.Name}' is not pinned");
            }
            _ledger.Unpin(adapter);
            after = Close();
        }
        Run(after);
    }

    /// <summary>
    /// Lets go of everything. Loads under way fail; batches and leases can still be disposed, and what runs keeps
    /// what it uses.
    /// </summary>
    public void Dispose()
    {
        List<Action>? after;
        lock (_gate)
        {
            if (_isDisposed)
                return;
            _isDisposed = true;
            EndAll(new ObjectDisposedException(nameof(AdapterPool)));
            after = Close();
        }
        Run(after);
        _meter.Dispose();
        _device.Dispose();
    }

    private static TableDevice MakeDevice(
        Device device, IEnumerable<LoraModule> modules, AdapterPoolOptions options, string? baseModel)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        options.Check(nameof(options));
        return new TableDevice(
            new LoraTable(device, modules, baseModel), options.Adapters, options.CopyStreams ?? device.CreateStream);
    }

    private static Checkpoint Require(Checkpoint model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model;
    }

    private PooledAdapter FindOrAdd(string name, IAdapterSource source, string? tenant)
    {
        if (_ledger.Find(name) is not { } known)
        {
            known = _ledger.Add(name, tenant, source);
            known.ForgetOnFailure = true;
            _ledger.Publish(known);
            return known;
        }
        if (known.Source.Equals(source) && known.Tenant == tenant)
            return known;
        throw new InvalidOperationException(
            $"adapter '{name}' is known with another {(known.Tenant == tenant ? "source" : "tenant")}; "
            + $"{nameof(ReplaceAsync)} replaces it, {nameof(Unload)} forgets it");
    }

    private void RequireOwn(PooledAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        if (!ReferenceEquals(adapter.Pool, this))
            throw new ArgumentException($"adapter '{adapter.Name}' is of another pool", nameof(adapter));
    }

    private static void ThrowIfRetired(PooledAdapter adapter)
    {
        if (adapter.IsRetired)
            throw Unavailable(adapter);
    }

    private static AdapterUnavailableException Unavailable(PooledAdapter adapter) => new(
        adapter, adapter.Error is null ? "was unloaded or replaced" : "could not be loaded", adapter.Error);
}
