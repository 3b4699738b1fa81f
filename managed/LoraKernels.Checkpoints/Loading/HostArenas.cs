namespace LoraKernels.Checkpoints;

/// <summary>The arenas of a load: together they take no more than a budget, but for a weight that is larger than that.</summary>
internal sealed class HostArenas(long budget) : IDisposable
{
    // Sizes are multiples of it, so that weights of about one size have their arenas in common.
    private const int SizeStep = 1 << 20;

    private readonly object _gate = new();
    private readonly List<HostArena> _idle = [];
    private long _taken;
    private int _rented;

    /// <summary>An arena for a weight; waits until others have given enough of the budget back.</summary>
    /// <param name="bytes">By <see cref="HostArena.SizeFor"/>, at most <see cref="HostArena.MaxSize"/>.</param>
    /// <param name="cancellation">Ends the waiting.</param>
    public HostArena Rent(long bytes, CancellationToken cancellation)
    {
        using var wake = cancellation.Register(WakeAll);
        lock (_gate)
        {
            for (; ; Monitor.Wait(_gate))
            {
                cancellation.ThrowIfCancellationRequested();
                if (TakeIdle(bytes) is { } idle) return idle;
                int size = (int)Math.Min((bytes + SizeStep - 1) / SizeStep * SizeStep, HostArena.MaxSize);
                // The idle ones are all too small.
                while (_taken + size > budget && _idle.Count > 0) FreeIdle();
                if (_taken + size > budget && _rented > 0) continue;
                var arena = new HostArena(size);
                _taken += size;
                _rented++;
                return arena;
            }
        }
    }

    /// <summary>Gives back what <see cref="Rent"/> gave.</summary>
    public void Return(HostArena arena)
    {
        lock (_gate)
        {
            arena.Clear();
            _idle.Add(arena);
            _rented--;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Frees all arenas, which have been given back.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            while (_idle.Count > 0) FreeIdle();
        }
    }

    private HostArena? TakeIdle(long bytes)
    {
        var fitting = _idle.Where(arena => arena.Size >= bytes).MinBy(arena => arena.Size);
        if (fitting is null) return null;
        _idle.Remove(fitting);
        _rented++;
        return fitting;
    }

    private void FreeIdle()
    {
        _taken -= _idle[^1].Size;
        _idle[^1].Free();
        _idle.RemoveAt(_idle.Count - 1);
    }

    private void WakeAll()
    {
        lock (_gate) Monitor.PulseAll(_gate);
    }
}
