namespace LoraKernels.Serving;

/// <summary>
/// Who of a step's sequences goes along: in their order, as long as their adapters fit the device and their tenants'
/// quotas together. A sequence whose adapters are still on their way keeps its claim, so that later ones cannot
/// starve it. Used under the pool's lock.
/// </summary>
internal sealed class StepAdmission(PoolLedger ledger)
{
    private PooledAdapter[] _claimed = new PooledAdapter[16];
    private int _count;
    private long _step;

    /// <summary>The step's number.</summary>
    public long Step => _step;

    /// <summary>What sequences have claimed so far, each adapter once.</summary>
    public ReadOnlySpan<PooledAdapter> Claimed => _claimed.AsSpan(0, _count);

    /// <summary>Begins a step.</summary>
    /// <param name="held">What the step before holds, and lets go of after this one has begun.</param>
    public void Begin(ReadOnlySpan<PooledAdapter> held)
    {
        _step = ledger.NextStep();
        _count = 0;
        foreach (PooledAdapter adapter in held)
        {
            if (adapter.Leases > 1 || adapter.Pins > 0)
                continue;
            adapter.OursInStep = _step;
            ledger.Device.GiveStep(_step, adapter.RoomBytes, 1);
            adapter.Account.GiveStep(_step, adapter.RoomBytes, 1);
        }
    }

    /// <summary>
    /// Claims a sequence's adapters: all of them, or none where they do not fit beside those claimed before.
    /// </summary>
    public bool TryClaim(ReadOnlySpan<RowAdapter> adapters)
    {
        int before = _count;
        foreach (RowAdapter term in adapters)
        {
            if (term.Adapter is not { } adapter || adapter.ClaimedInStep == _step)
                continue;
            (long bytes, int places) = CostOf(adapter);
            bool fits = ledger.Device.TryTakeStep(_step, bytes, places);
            if (fits && !adapter.Account.TryTakeStep(_step, bytes, places))
            {
                ledger.Device.GiveStep(_step, bytes, places);
                fits = false;
            }
            if (!fits)
            {
                GiveBack(before);
                return false;
            }
            adapter.ClaimedInStep = _step;
            if (_count == _claimed.Length)
                Array.Resize(ref _claimed, 2 * _count);
            _claimed[_count++] = adapter;
        }
        return true;
    }

    /// <summary>What nobody else holds costs its size; of what was never read only the place is known.</summary>
    private (long Bytes, int Places) CostOf(PooledAdapter adapter) => adapter.Residency switch
    {
        Residency.Reserved => (0, 0),
        Residency.Resident => adapter.IsNeeded && adapter.OursInStep != _step ? (0, 0) : (adapter.RoomBytes, 1),
        _ => (adapter.Bytes, 1),
    };

    private void GiveBack(int count)
    {
        while (_count > count)
        {
            PooledAdapter adapter = _claimed[--_count];
            (long bytes, int places) = CostOf(adapter);
            ledger.Device.GiveStep(_step, bytes, places);
            adapter.Account.GiveStep(_step, bytes, places);
            adapter.ClaimedInStep = 0;
        }
    }
}
