namespace LoraKernels.Native;

/// <summary>
/// What a recording uses, kept alive as long as the graph made of it: a graph holds addresses, not handles.
/// </summary>
internal sealed class KeptHandles
{
    [ThreadStatic]
    private static KeptHandles? _recording;

    private readonly HashSet<NativeHandle> _handles = new(ReferenceEqualityComparer.Instance);

    /// <summary>Runs operations on this thread and keeps every handle that they lease.</summary>
    public void Record(Action operations)
    {
        KeptHandles? outer = _recording;
        _recording = this;
        try
        {
            operations();
        }
        finally
        {
            _recording = outer;
        }
    }

    /// <summary>Told of every lease of this thread, whether something is being recorded or not.</summary>
    // A graph may be launched on any stream and outlive the one that it was recorded on.
    public static void OnLease(NativeHandle handle)
    {
        if (_recording is { } recording && handle is not ContextHandle)
            recording.Keep(handle);
    }

    public void Keep(NativeHandle? handle)
    {
        if (handle is null || !_handles.Add(handle))
            return;
        bool added = false;
        handle.DangerousAddRef(ref added);
    }

    public void Release()
    {
        foreach (NativeHandle handle in _handles)
            handle.DangerousRelease();
        _handles.Clear();
    }
}
