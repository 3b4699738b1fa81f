namespace LoraKernels.Serving;

/// <summary>
/// One caller who waits for a load. It is settled once, by whoever takes it off its operation's list.
/// </summary>
internal abstract class LoadWaiter
{
    private CancellationTokenRegistration _registration;

    public LoadOperation? Operation { get; set; }

    /// <summary>Whether the caller wants a lease: it is taken before anybody can evict what has arrived.</summary>
    public abstract bool WantsLease { get; }

    protected abstract bool IsSettled { get; }

    public abstract void Succeed(PooledAdapter adapter);

    public abstract void Fail(Exception error);

    public abstract void Cancel(CancellationToken cancellationToken);

    /// <summary>Calls back when the caller cancels.</summary>
    public void OnCancel(Action<LoadWaiter, CancellationToken> leave, CancellationToken cancellationToken)
    {
        _registration = cancellationToken.UnsafeRegister((_, token) => leave(this, token), null);
        if (IsSettled)
            Release();
    }

    protected void Release() => _registration.Unregister();
}

/// <summary>Waits until the adapter is on the device.</summary>
internal sealed class LoadedWaiter : LoadWaiter
{
    private readonly TaskCompletionSource<PooledAdapter> _task = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<PooledAdapter> Task => _task.Task;

    public override bool WantsLease => false;

    protected override bool IsSettled => _task.Task.IsCompleted;

    public override void Succeed(PooledAdapter adapter)
    {
        _task.TrySetResult(adapter);
        Release();
    }

    public override void Fail(Exception error)
    {
        _task.TrySetException(error);
        Release();
    }

    public override void Cancel(CancellationToken cancellationToken) => _task.TrySetCanceled(cancellationToken);
}

/// <summary>Waits until it has a lease.</summary>
internal sealed class LeaseWaiter(AdapterPool pool) : LoadWaiter
{
    private readonly TaskCompletionSource<AdapterLease> _task = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<AdapterLease> Task => _task.Task;

    public override bool WantsLease => true;

    protected override bool IsSettled => _task.Task.IsCompleted;

    public override void Succeed(PooledAdapter adapter)
    {
        _task.TrySetResult(new AdapterLease(pool, adapter));
        Release();
    }

    public override void Fail(Exception error)
    {
        _task.TrySetException(error);
        Release();
    }

    public override void Cancel(CancellationToken cancellationToken) => _task.TrySetCanceled(cancellationToken);
}
