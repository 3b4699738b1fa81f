namespace LoraKernels.Serving;

/// <summary>
/// The pool's books: which names lead to which versions, who holds what, what has room on the device, who waits for
/// room and who makes way. No I/O, no threads, no clock: calls in the same order give the same books. Callers see to
/// it that there is one at a time.
/// </summary>
/// <remarks>
/// Two rules are all of it. An adapter that is leased, pinned or on its way is held, and never makes way. Room is
/// given in the order in which it was asked for, where whoever waits for room of its own tenant only lets others
/// pass.
/// </remarks>
internal sealed class PoolLedger
{
    private readonly object _pool;
    private readonly IEvictionPolicy _policy;
    private readonly Func<string, PoolQuota> _quotaOf;
    private readonly Account _withoutTenant = new(null, PoolQuota.Unlimited);
    private readonly Dictionary<string, Account> _tenants = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PooledAdapter> _published = new(StringComparer.Ordinal);
    private readonly LinkedList<PooledAdapter> _waiting = new();
    private long _lastId;
    private long _lastStep;

    /// <param name="pool">Whom its adapters belong to.</param>
    /// <param name="device">The device's budget.</param>
    /// <param name="quotaOf">Of a tenant, asked once.</param>
    /// <param name="policy">Who makes way.</param>
    public PoolLedger(object pool, PoolQuota device, Func<string, PoolQuota> quotaOf, IEvictionPolicy policy)
    {
        _pool = pool;
        _quotaOf = quotaOf;
        _policy = policy;
        Device = new Account(null, device);
    }

    public Account Device { get; }

    /// <summary>How many names lead to an adapter.</summary>
    public int Known => _published.Count;

    /// <summary>Those that wait for room, in the order in which they asked for it.</summary>
    public IReadOnlyCollection<PooledAdapter> Waiting => _waiting;

    /// <summary>Those that are on the device and not held: who makes way is chosen among them.</summary>
    public IdleList Idle { get; } = new();

    public int Resident { get; private set; }

    public long Evictions { get; private set; }

    /// <summary>
    /// Those that have lost their room since the caller looked last: it removes them from the device.
    /// </summary>
    public List<PooledAdapter> Dropped { get; } = [];

    /// <summary>
    /// Those that waited and have got room since the caller looked last: it brings them to the device.
    /// </summary>
    public List<PooledAdapter> Granted { get; } = [];

    /// <summary>A new number for a step.</summary>
    public long NextStep() => ++_lastStep;

    /// <summary>A new version; no name leads to it yet.</summary>
    public PooledAdapter Add(string name, string? tenant, IAdapterSource source) =>
        new(_pool, ++_lastId, name, tenant, source, AccountOf(tenant));

    /// <summary>The version that a name leads to, or null.</summary>
    public PooledAdapter? Find(string name) => _published.GetValueOrDefault(name);

    /// <summary>Makes the version's name lead to it; the one before is retired. A later version stays.</summary>
    /// <returns>Whether its name leads to it now.</returns>
    public bool Publish(PooledAdapter adapter)
    {
        PooledAdapter? before = Find(adapter.Name);
        if (before?.Id > adapter.Id)
            return false;
        if (before is not null)
            Retire(before);
        _published[adapter.Name] = adapter;
        adapter.IsPublished = true;
        return true;
    }

    /// <summary>
    /// Nothing new leads to the version. It loses its room with its last lease, or at once; pins do not keep it. Room
    /// on its way is the caller's to give up.
    /// </summary>
    public void Retire(PooledAdapter adapter)
    {
        if (adapter.IsRetired)
            return;
        adapter.Retire();
        if (adapter.IsPublished)
            _published.Remove(adapter.Name);
        adapter.IsPublished = false;
        if (adapter.Residency == Residency.Waiting)
            GiveUpRoom(adapter);
        while (adapter.Pins > 0)
            Unpin(adapter);
        if (adapter.Residency == Residency.Resident && !adapter.IsNeeded)
            Drop(adapter);
    }

    /// <summary>Whether the device, and the tenant's quota, could ever hold it.</summary>
    public bool CouldEverHold(PooledAdapter adapter, long bytes) =>
        Device.CouldEverHold(bytes) && adapter.Account.CouldEverHold(bytes);

    /// <summary>Asks for room for an absent adapter that could ever have it.</summary>
    /// <returns>Whether it has room now. If not, it will be among <see cref="Granted"/>.</returns>
    public bool Reserve(PooledAdapter adapter, long bytes)
    {
        adapter.RoomBytes = bytes;
        adapter.Residency = Residency.Waiting;
        _waiting.AddLast(adapter);
        Settle();
        return Granted.Remove(adapter);
    }

    /// <summary>Takes back a request for room, or room whose bytes will not come.</summary>
    public void GiveUpRoom(PooledAdapter adapter)
    {
        if (adapter.Residency == Residency.Waiting)
        {
            _waiting.Remove(adapter);
        }
        else if (adapter.Residency == Residency.Reserved)
        {
            Granted.Remove(adapter);
            Unhold(adapter);
            Unuse(adapter);
        }
        else
        {
            return;
        }
        adapter.Residency = Residency.Absent;
    }

    /// <summary>The bytes have come: the adapter can be used. The caller has a lease on it, and lets it go.</summary>
    public void Arrive(PooledAdapter adapter)
    {
        adapter.Residency = Residency.Resident;
        adapter.Leases++;
        Resident++;
    }

    /// <summary>Leases an adapter that is on the device.</summary>
    /// <returns>Whether it is.</returns>
    public bool TryHold(PooledAdapter adapter)
    {
        if (adapter.Residency != Residency.Resident)
            return false;
        Need(adapter);
        adapter.Leases++;
        return true;
    }

    /// <summary>Ends a lease.</summary>
    public void LetGo(PooledAdapter adapter)
    {
        adapter.Leases--;
        Relax(adapter);
    }

    public void Pin(PooledAdapter adapter)
    {
        if (adapter.Residency == Residency.Resident)
            Need(adapter);
        adapter.Pins++;
    }

    public void Unpin(PooledAdapter adapter)
    {
        adapter.Pins--;
        if (adapter.Residency == Residency.Resident)
            Relax(adapter);
    }

    /// <summary>Gives room to those who wait, as far as there is some.</summary>
    public void Settle()
    {
        LinkedListNode<PooledAdapter>? next;
        for (LinkedListNode<PooledAdapter>? node = _waiting.First; node is not null; node = next)
        {
            next = node.Next;
            PooledAdapter adapter = node.Value;
            if (!adapter.Account.CanHold(adapter.RoomBytes))
                continue;
            if (!Device.CanHold(adapter.RoomBytes))
                break;
            MakeRoom(adapter);
            _waiting.Remove(node);
            adapter.Residency = Residency.Reserved;
            Use(adapter);
            Hold(adapter);
            Granted.Add(adapter);
        }
    }

    private Account AccountOf(string? tenant)
    {
        if (tenant is null)
            return _withoutTenant;
        if (!_tenants.TryGetValue(tenant, out Account? account))
            _tenants.Add(tenant, account = new Account(tenant, _quotaOf(tenant)));
        return account;
    }

    private void MakeRoom(PooledAdapter adapter)
    {
        while (adapter.Account.MustEvictFor(adapter.RoomBytes))
            Evict(new EvictionCandidates(Idle.First!, adapter.Account));
        while (Device.MustEvictFor(adapter.RoomBytes))
            Evict(new EvictionCandidates(Idle.First!, null));
    }

    private void Evict(EvictionCandidates candidates)
    {
        PooledAdapter? chosen = null;
        try
        {
            chosen = _policy.Choose(candidates);
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // A policy of the host's must not fail whoever happens to free some room.
        }
        if (chosen is null || !candidates.Contains(chosen))
            chosen = candidates.First;
        Drop(chosen);
        Evictions++;
    }

    /// <summary>From now on somebody needs a resident adapter.</summary>
    private void Need(PooledAdapter adapter)
    {
        if (!adapter.IsIdle)
            return;
        Idle.Remove(adapter);
        Hold(adapter);
    }

    /// <summary>Perhaps nobody needs a resident adapter any more.</summary>
    private void Relax(PooledAdapter adapter)
    {
        if (adapter.IsNeeded)
            return;
        if (adapter.IsRetired)
        {
            Drop(adapter);
            return;
        }
        Unhold(adapter);
        Idle.Append(adapter);
    }

    private void Drop(PooledAdapter adapter)
    {
        if (adapter.IsIdle)
            Idle.Remove(adapter);
        else
            Unhold(adapter);
        Unuse(adapter);
        adapter.Residency = Residency.Absent;
        Resident--;
        Dropped.Add(adapter);
    }

    private void Use(PooledAdapter adapter)
    {
        Device.Use(adapter.RoomBytes);
        adapter.Account.Use(adapter.RoomBytes);
    }

    private void Unuse(PooledAdapter adapter)
    {
        Device.Unuse(adapter.RoomBytes);
        adapter.Account.Unuse(adapter.RoomBytes);
    }

    private void Hold(PooledAdapter adapter)
    {
        Device.Hold(adapter.RoomBytes);
        adapter.Account.Hold(adapter.RoomBytes);
    }

    private void Unhold(PooledAdapter adapter)
    {
        Device.Unhold(adapter.RoomBytes);
        adapter.Account.Unhold(adapter.RoomBytes);
    }
}
