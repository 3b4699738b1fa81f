namespace LoraKernels.Serving;

// What happens at the edges of the lock: what is decided inside is carried out outside.
public sealed partial class AdapterPool
{
    private List<Action>? _after;
    private LoraKernelsException? _lost;
    private bool _isDisposed;
    private long _hits;
    private long _misses;
    private long _loads;
    private long _failures;
    private long _loadedBytes;

    /// <summary>
    /// Ends a section of the lock: gives room to those who wait, and hands over what is to be done outside.
    /// </summary>
    /// <returns>What to <see cref="Run"/> after the lock, mostly null.</returns>
    private List<Action>? Close()
    {
        _ledger.Settle();
        foreach (PooledAdapter adapter in _ledger.Granted)
            Enqueue(adapter.Operation!);
        _ledger.Granted.Clear();
        foreach (PooledAdapter adapter in _ledger.Dropped)
        {
            IStoredAdapter stored = adapter.Stored!;
            adapter.Stored = null;
            Later(() => Remove(adapter, stored));
        }
        _ledger.Dropped.Clear();
        StartQueued();
        List<Action>? after = _after;
        _after = null;
        return after;
    }

    private void Later(Action action) => (_after ??= []).Add(action);

    private static void Run(List<Action>? after)
    {
        if (after is null)
            return;
        foreach (Action action in after)
            action();
    }

    private void Remove(PooledAdapter adapter, IStoredAdapter stored)
    {
        try
        {
            stored.Remove();
            PoolLog.Dropped(_options.Logger, _options.Name, adapter);
        }
        catch (LoraKernelsException error)
        {
            // A lost device takes its memory along; nobody can be helped by hearing of it here.
            PoolLog.NotRemoved(_options.Logger, _options.Name, adapter, error);
        }
    }

    private void Retire(PooledAdapter adapter)
    {
        if (adapter.IsRetired)
            return;
        if (adapter.Operation is { Stage: not LoadStage.Uploading } operation)
            End(operation, Unavailable(adapter));
        if (adapter.IsRetired)
            return;
        _ledger.Retire(adapter);
        _host.Remove(adapter);
        Later(() => PoolLog.Retired(_options.Logger, _options.Name, adapter));
    }

    /// <summary>
    /// From now on every call fails with the status of a lost device, as every load that waits does now.
    /// </summary>
    private void Lose(LoraKernelsException error)
    {
        if (_lost is not null)
            return;
        _lost = error;
        EndAll(error);
        Later(() => PoolLog.DeviceLost(_options.Logger, _options.Name, error));
    }

    private void EndAll(Exception error)
    {
        foreach (LoadOperation operation in _operations.ToArray())
            End(operation, error);
    }

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_lost is not null)
            throw new LoraKernelsException(_lost.Status, _lost.Message);
    }
}
