namespace LoraKernels.Serving;

/// <summary>
/// One version of an adapter that an <see cref="AdapterPool"/> knows, on the device or not: what rows of a
/// <see cref="PoolBatch"/> name. It stays the same object while the adapter is evicted and loaded again.
/// </summary>
public sealed partial class PooledAdapter
{
    private volatile bool _isRetired;
    private volatile Residency _residency;
    private long _uses;

    internal PooledAdapter(object pool, long id, string name, string? tenant, IAdapterSource source, Account account)
    {
        Pool = pool;
        Id = id;
        Name = name;
        Tenant = tenant;
        Source = source;
        Account = account;
    }

    /// <summary>Its number in its pool, above 0; no other version of any adapter ever has it.</summary>
    public long Id { get; }

    /// <summary>The name that the pool knows it by.</summary>
    public string Name { get; }

    /// <summary>Whose quota it counts against, or null.</summary>
    public string? Tenant { get; }

    /// <summary>Where it is read from.</summary>
    public IAdapterSource Source { get; }

    /// <summary>Whether it is on the device now.</summary>
    public bool IsLoaded => _residency == Residency.Resident;

    /// <summary>
    /// Whether it was unloaded or replaced. Leases and batches that hold it keep it; then it is gone for good.
    /// </summary>
    public bool IsRetired => _isRetired;

    /// <summary>Device memory that it takes when loaded, in bytes; 0 until it was read for the first time.</summary>
    public long Bytes => Shape?.Bytes ?? 0;

    /// <summary>How many steps and leases have used it.</summary>
    public long Uses => Volatile.Read(ref _uses);

    /// <summary>How long its latest load took, from the first request to the device; zero before.</summary>
    public TimeSpan LoadTime { get; internal set; }

    /// <summary>Name and number.</summary>
    public override string ToString() => $"{Name} (version {Id})";
}
