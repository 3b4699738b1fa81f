namespace LoraKernels.Serving;

/// <summary>
/// Keeps an adapter on the device, for as long as a request takes: it is not evicted, and where it is unloaded or
/// replaced meanwhile, the request goes on with the version that it began with. Dispose it when done.
/// </summary>
public sealed class AdapterLease : IDisposable
{
    private readonly AdapterPool _pool;
    private int _released;

    internal AdapterLease(AdapterPool pool, PooledAdapter adapter)
    {
        _pool = pool;
        Adapter = adapter;
    }

    /// <summary>The adapter.</summary>
    public PooledAdapter Adapter { get; }

    /// <summary>Lets go of it. Waits for nothing; steps that run keep what they use.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _released, 1) == 0)
            _pool.LetGo(Adapter);
    }
}
