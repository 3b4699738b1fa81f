using System.Runtime.InteropServices;
using LoraKernels.Interop;

namespace LoraKernels.Native;

/// <summary>
/// Owns one native object, keeps the handle that it depends on alive until it is destroyed, and is what leak reports
/// are about. Native calls use it through a <see cref="Lease"/>.
/// </summary>
internal abstract unsafe class NativeHandle : SafeHandle
{
    private readonly NativeHandle? _parent;
    private readonly HandleTracker.Entry? _entry;
    private volatile bool _disposed;

    /// <param name="publicName">The public type that this handle stands for.</param>
    /// <param name="pointer">The native object, or null where the handle only keeps its parent alive.</param>
    /// <param name="parent">Not destroyed before this handle is; the caller holds a lease on it.</param>
    protected NativeHandle(string publicName, void* pointer, NativeHandle? parent = null)
        : base(0, ownsHandle: true)
    {
        PublicName = publicName;
        SetHandle((nint)pointer);
        if (parent is not null)
        {
            bool added = false;
            parent.DangerousAddRef(ref added);
            _parent = parent;
        }
        _entry = HandleTracker.Track(publicName);
    }

    /// <summary>Never: a handle without a native object still has a parent to let go of.</summary>
    public sealed override bool IsInvalid => false;

    /// <summary>
    /// Disposed by its owner. <see cref="SafeHandle.IsClosed"/> says so only once the last lease and child are gone.
    /// </summary>
    public bool IsDisposed => _disposed;

    /// <summary>The public type that this handle stands for.</summary>
    public string PublicName { get; }

    protected abstract lk_status Destroy(void* pointer);

    protected sealed override bool ReleaseHandle()
    {
        bool destroyed = handle == 0 || Destroy((void*)handle) == lk_status.LK_OK;
        ReleaseDependencies();
        return destroyed;
    }

    /// <summary>Lets go of what the native object needed until now.</summary>
    protected virtual void ReleaseDependencies() => _parent?.DangerousRelease();

    protected sealed override void Dispose(bool disposing)
    {
        _disposed = true;
        _entry?.Close(leaked: !disposing);
        base.Dispose(disposing);
    }
}
