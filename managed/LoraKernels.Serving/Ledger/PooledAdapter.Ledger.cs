namespace LoraKernels.Serving;

// What the pool keeps about a version; all of it is read and written under the pool's lock.
public sealed partial class PooledAdapter
{
    /// <summary>The pool, by which a stranger is told from its own.</summary>
    internal object Pool { get; }

    /// <summary>The tenant's, or the one of all adapters without a tenant.</summary>
    internal Account Account { get; }

    internal Residency Residency
    {
        get => _residency;
        set => _residency = value;
    }

    /// <summary>
    /// What is or will be reserved on the device, in bytes; from <see cref="Residency.Waiting"/> on.
    /// </summary>
    internal long RoomBytes { get; set; }

    internal int Leases { get; set; }

    internal int Pins { get; set; }

    /// <summary>Whether its name leads to it.</summary>
    internal bool IsPublished { get; set; }

    internal bool IsNeeded => Leases > 0 || Pins > 0;

    internal bool IsIdle { get; set; }

    internal PooledAdapter? IdleBefore { get; set; }

    internal PooledAdapter? IdleAfter { get; set; }

    /// <summary>The step, by its number, that has counted it in; see <see cref="StepAdmission"/>.</summary>
    internal long ClaimedInStep { get; set; }

    /// <summary>
    /// The step that would be the only one to hold it, were it not for the batch's contents of before.
    /// </summary>
    internal long OursInStep { get; set; }

    /// <summary>The step that has given it a segment.</summary>
    internal long SegmentInStep { get; set; }

    /// <summary>The step that has begun to load it.</summary>
    internal long MissedInStep { get; set; }

    /// <summary>What it is on the device; null until it was read for the first time.</summary>
    internal AdapterShape? Shape { get; set; }

    /// <summary>Where it is on the device, while it is.</summary>
    internal IStoredAdapter? Stored { get; set; }

    /// <summary>Its number there, at hand for every row of every step.</summary>
    internal long StoredId { get; set; }

    internal LoadOperation? Operation { get; set; }

    /// <summary>Why its latest load failed; null after a success, and from the next explicit request on.</summary>
    internal Exception? Error { get; set; }

    /// <summary>Whether the pool forgets it when it cannot be loaded: nobody has registered it for later.</summary>
    internal bool ForgetOnFailure { get; set; }

    internal void Retire() => _isRetired = true;

    internal void CountUse() => Volatile.Write(ref _uses, _uses + 1);
}
