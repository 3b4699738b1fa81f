namespace LoraKernels.Serving;

/// <summary>
/// Adapters that can make way, the least recently used one first; for a <c>foreach</c>, which allocates nothing.
/// </summary>
public readonly ref struct EvictionCandidates
{
    private readonly PooledAdapter _firstIdle;
    private readonly Account? _account;

    internal EvictionCandidates(PooledAdapter firstIdle, Account? account)
    {
        _firstIdle = firstIdle;
        _account = account;
    }

    /// <summary>The least recently used one.</summary>
    public PooledAdapter First
    {
        get
        {
            Enumerator all = GetEnumerator();
            all.MoveNext();
            return all.Current;
        }
    }

    /// <summary>All of them.</summary>
    public Enumerator GetEnumerator() => new(_firstIdle, _account);

    internal bool Contains(PooledAdapter adapter) =>
        adapter.IsIdle && ReferenceEquals(adapter.Pool, _firstIdle.Pool)
        && (_account is null || ReferenceEquals(adapter.Account, _account));

    /// <summary>Goes through candidates.</summary>
    public ref struct Enumerator
    {
        private readonly Account? _account;
        private PooledAdapter? _next;

        internal Enumerator(PooledAdapter? first, Account? account)
        {
            _next = first;
            _account = account;
            Current = null!;
        }

        /// <summary>The candidate at which the enumerator is.</summary>
        public PooledAdapter Current { get; private set; }

        /// <summary>Goes to the next one.</summary>
        /// <returns>Whether there is one.</returns>
        public bool MoveNext()
        {
            while (_next is { } adapter)
            {
                _next = adapter.IdleAfter;
                if (_account is not null && !ReferenceEquals(adapter.Account, _account))
                    continue;
                Current = adapter;
                return true;
            }
            return false;
        }
    }
}
