namespace LoraKernels.Serving;

/// <summary>
/// The adapters on the device that nobody needs, in the order in which they became so: the first one is the least
/// recently used. Linked through the adapters themselves, so that a step that takes one off or puts it back allocates
/// nothing.
/// </summary>
internal sealed class IdleList
{
    private PooledAdapter? _last;

    public PooledAdapter? First { get; private set; }

    public void Append(PooledAdapter adapter)
    {
        adapter.IsIdle = true;
        adapter.IdleBefore = _last;
        adapter.IdleAfter = null;
        if (_last is null)
            First = adapter;
        else
            _last.IdleAfter = adapter;
        _last = adapter;
    }

    public void Remove(PooledAdapter adapter)
    {
        if (adapter.IdleBefore is null)
            First = adapter.IdleAfter;
        else
            adapter.IdleBefore.IdleAfter = adapter.IdleAfter;
        if (adapter.IdleAfter is null)
            _last = adapter.IdleBefore;
        else
            adapter.IdleAfter.IdleBefore = adapter.IdleBefore;
        adapter.IsIdle = false;
        adapter.IdleBefore = null;
        adapter.IdleAfter = null;
    }
}
