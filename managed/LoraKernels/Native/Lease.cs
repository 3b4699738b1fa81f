using System.Diagnostics.CodeAnalysis;

namespace LoraKernels.Native;

/// <summary>
/// Holds a native object for the length of a call: when another thread disposes it meanwhile, it is destroyed after the
/// call.
/// </summary>
internal readonly unsafe ref struct Lease : IDisposable
{
    private readonly NativeHandle? _handle;

    /// <param name="handle">What the call uses; null for nothing.</param>
    /// <exception cref="ObjectDisposedException">The handle is disposed; the public type is named.</exception>
    public Lease(NativeHandle? handle)
    {
        if (handle is null)
            return;
        if (handle.IsDisposed)
            Refuse(handle.PublicName);
        bool added = false;
        try
        {
            handle.DangerousAddRef(ref added);
        }
        catch (ObjectDisposedException)
        {
            // Disposed since the check above; the runtime's exception would name the internal type.
            Refuse(handle.PublicName);
        }
        _handle = handle;
        KeptHandles.OnLease(handle);
        Pointer = (void*)handle.DangerousGetHandle();
    }

    public void* Pointer { get; }

    public void Dispose() => _handle?.DangerousRelease();

    /// <summary>Throws, by the name that the caller knows: the runtime would give one with its assembly.</summary>
    [DoesNotReturn]
    public static void Refuse(string publicName) => throw new ObjectDisposedException(publicName);
}
