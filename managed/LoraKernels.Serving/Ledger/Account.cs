namespace LoraKernels.Serving;

/// <summary>
/// A budget of bytes and of adapters, of the device or of a tenant, and what of it is taken. What nobody needs is
/// used but not held: it can make way.
/// </summary>
/// <param name="tenant">Whose it is; null for the device, and for adapters without a tenant.</param>
/// <param name="quota">The budget.</param>
internal sealed class Account(string? tenant, PoolQuota quota)
{
    private long _step;
    private long _room;
    private int _places;

    public string? Tenant => tenant;

    public PoolQuota Quota => quota;

    /// <summary>Bytes of all adapters that have room.</summary>
    public long Used { get; private set; }

    /// <summary>Bytes of those that cannot make way: leased, pinned or on their way.</summary>
    public long Held { get; private set; }

    /// <summary>How many adapters have room.</summary>
    public int UsedCount { get; private set; }

    /// <summary>How many of them cannot make way.</summary>
    public int HeldCount { get; private set; }

    /// <summary>Whether an empty account could take this much.</summary>
    public bool CouldEverHold(long bytes) => bytes <= quota.Bytes && quota.Adapters > 0;

    /// <summary>Whether there is room for one more, once enough of what is not held has made way.</summary>
    public bool CanHold(long bytes) => bytes <= quota.Bytes - Held && HeldCount < quota.Adapters;

    /// <summary>Whether something has to make way for one more.</summary>
    public bool MustEvictFor(long bytes) => bytes > quota.Bytes - Used || UsedCount >= quota.Adapters;

    public void Use(long bytes)
    {
        Used += bytes;
        UsedCount++;
    }

    public void Unuse(long bytes)
    {
        Used -= bytes;
        UsedCount--;
    }

    public void Hold(long bytes)
    {
        Held += bytes;
        HeldCount++;
    }

    public void Unhold(long bytes)
    {
        Held -= bytes;
        HeldCount--;
    }

    /// <summary>Adds to what a step may claim; a step begins with what nobody holds.</summary>
    public void GiveStep(long step, long bytes, int places)
    {
        OpenStep(step);
        _room += bytes;
        _places += places;
    }

    /// <summary>Takes from what a step may claim, or leaves it as it is where that is not enough.</summary>
    public bool TryTakeStep(long step, long bytes, int places)
    {
        OpenStep(step);
        if ((bytes > 0 && bytes > _room) || (places > 0 && places > _places))
            return false;
        _room -= bytes;
        _places -= places;
        return true;
    }

    private void OpenStep(long step)
    {
        if (_step == step)
            return;
        _step = step;
        _room = quota.Bytes - Held;
        _places = quota.Adapters - HeldCount;
    }
}
