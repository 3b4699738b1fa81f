namespace LoraKernels.Serving;

public sealed partial class AdapterPool
{
    /// <summary>
    /// Loads an adapter by its name; an unknown name is the path of a PEFT folder or a GGUF adapter.
    /// </summary>
    /// <param name="nameOrPath">A name that the pool knows, or a path, which becomes the adapter's name.</param>
    /// <param name="cancellationToken">Ends this caller's wait; others wait on.</param>
    /// <returns>The adapter, when it is on the device.</returns>
    /// <inheritdoc cref="LoadAsync(PooledAdapter, CancellationToken)" path="/exception"/>
    /// <exception cref="Checkpoints.CheckpointException">It is missing or malformed.</exception>
    public Task<PooledAdapter> LoadAsync(string nameOrPath, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(nameOrPath);
        return LoadAsync(
            () => _ledger.Find(nameOrPath) ?? FindOrAdd(nameOrPath, AdapterSource.FromPath(nameOrPath), null),
            cancellationToken);
    }

    /// <summary>Loads an adapter from a source, under a name. The pool forgets it when that fails.</summary>
    /// <param name="name">What it will be known by, in all of the pool.</param>
    /// <param name="source">Where it is read from.</param>
    /// <param name="tenant">Whose quota it counts against, or null.</param>
    /// <param name="cancellationToken">Ends this caller's wait; others wait on.</param>
    /// <returns>The adapter, when it is on the device.</returns>
    /// <inheritdoc cref="LoadAsync(PooledAdapter, CancellationToken)" path="/exception"/>
    /// <exception cref="InvalidOperationException">
    /// The name is known with another source or tenant; see <see cref="ReplaceAsync"/>.
    /// </exception>
    public Task<PooledAdapter> LoadAsync(
        string name, IAdapterSource source, string? tenant = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(source);
        return LoadAsync(() => FindOrAdd(name, source, tenant), cancellationToken);
    }

    /// <summary>
    /// Brings an adapter to the device, or finds it there. However many callers ask, it is read and copied once; it
    /// is checked against the base's modules before anybody makes way for it. Once it is there it may be evicted
    /// again, until it is named in a step, leased or pinned.
    /// </summary>
    /// <param name="adapter">A version of this pool.</param>
    /// <param name="cancellationToken">
    /// Ends this caller's wait at once; others wait on, and only where there is none the load ends.
    /// </param>
    /// <returns>The adapter, when it is on the device.</returns>
    /// <exception cref="ArgumentException">It is another pool's.</exception>
    /// <exception cref="AdapterMismatchException">
    /// It does not fit the modules; everything that does not is listed.
    /// </exception>
    /// <exception cref="PoolCapacityException">It is larger than the pool's budget or its tenant's quota.</exception>
    /// <exception cref="AdapterUnavailableException">It was unloaded or replaced.</exception>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.OutOfMemory"/> or <see cref="LoraKernelsStatus.DeviceLost"/>.
    /// </exception>
    public Task<PooledAdapter> LoadAsync(PooledAdapter adapter, CancellationToken cancellationToken = default)
    {
        RequireOwn(adapter);
        return LoadAsync(() => adapter, cancellationToken);
    }

    /// <summary>Loads an adapter and leases it before anybody can evict it.</summary>
    /// <param name="adapter">A version of this pool.</param>
    /// <param name="cancellationToken">As for <see cref="LoadAsync(PooledAdapter, CancellationToken)"/>.</param>
    /// <returns>The lease; dispose it when the request is done.</returns>
    /// <inheritdoc cref="LoadAsync(PooledAdapter, CancellationToken)" path="/exception"/>
    public Task<AdapterLease> AcquireAsync(PooledAdapter adapter, CancellationToken cancellationToken = default)
    {
        RequireOwn(adapter);
        var waiter = new LeaseWaiter(this);
        Join(() => adapter, waiter, cancellationToken);
        return waiter.Task;
    }

    /// <summary>
    /// Loads another version under a name that may be known. The name leads to it once it is on the device, and to
    /// the version before until then, also when this fails; batches and leases that hold the one before keep it.
    /// </summary>
    /// <param name="name">The name.</param>
    /// <param name="source">Where the new version is read from.</param>
    /// <param name="tenant">Whose quota it counts against, or null.</param>
    /// <param name="cancellationToken">Ends the replacement.</param>
    /// <returns>The new version.</returns>
    /// <inheritdoc cref="LoadAsync(PooledAdapter, CancellationToken)" path="/exception"/>
    public Task<PooledAdapter> ReplaceAsync(
        string name, IAdapterSource source, string? tenant = null, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(source);
        return LoadAsync(
            () =>
            {
                PooledAdapter added = _ledger.Add(name, tenant, source);
                added.ForgetOnFailure = true;
                return added;
            },
            cancellationToken);
    }

    /// <summary>
    /// Hints that an adapter will be needed soon. Failures are reported to whoever asks for it next.
    /// </summary>
    /// <param name="adapter">A version of this pool; nothing is done for one that is there or retired.</param>
    /// <exception cref="ArgumentException">It is another pool's.</exception>
    public void Prefetch(PooledAdapter adapter)
    {
        RequireOwn(adapter);
        List<Action>? after;
        lock (_gate)
        {
            if (_isDisposed || _lost is not null || adapter.IsRetired || adapter.IsLoaded)
                return;
            Start(adapter).IsWantedAnyway = true;
            after = Close();
        }
        Run(after);
    }

    private Task<PooledAdapter> LoadAsync(Func<PooledAdapter> find, CancellationToken cancellationToken)
    {
        var waiter = new LoadedWaiter();
        Join(find, waiter, cancellationToken);
        return waiter.Task;
    }

    /// <summary>Settles a waiter at once, or lets it wait for the load.</summary>
    private void Join(Func<PooledAdapter> find, LoadWaiter waiter, CancellationToken cancellationToken)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            waiter.Cancel(cancellationToken);
            return;
        }
        List<Action>? after;
        lock (_gate)
        {
            ThrowIfUnusable();
            PooledAdapter adapter = find();
            ThrowIfRetired(adapter);
            if (adapter.IsLoaded)
            {
                _hits++;
                Settle(waiter, adapter);
            }
            else
            {
                _misses++;
                waiter.Operation = Start(adapter);
                waiter.Operation.Waiters.Add(waiter);
            }
            after = Close();
        }
        Run(after);
        if (cancellationToken.CanBeCanceled)
            waiter.OnCancel(Leave, cancellationToken);
    }

    /// <summary>A waiter gets what it waited for: the adapter is on the device.</summary>
    private void Settle(LoadWaiter waiter, PooledAdapter adapter)
    {
        if (waiter.WantsLease)
        {
            _ledger.TryHold(adapter);
            adapter.CountUse();
        }
        Later(() => waiter.Succeed(adapter));
    }

    /// <summary>
    /// A caller gives up; the load ends with the last one, unless it was wanted anyway or is nearly there.
    /// </summary>
    private void Leave(LoadWaiter waiter, CancellationToken cancellationToken)
    {
        List<Action>? after;
        lock (_gate)
        {
            if (waiter.Operation is not { } operation || !operation.Waiters.Remove(waiter))
                return;
            Later(() => waiter.Cancel(cancellationToken));
            if (operation.Waiters.Count == 0 && !operation.IsWantedAnyway && operation.Stage != LoadStage.Uploading)
                End(operation, new OperationCanceledException(cancellationToken));
            after = Close();
        }
        Run(after);
    }
}
