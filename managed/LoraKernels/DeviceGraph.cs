using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// Operations that <see cref="DeviceStream.Capture"/> recorded, launched as one: a CUDA graph. It keeps the weights,
/// tables, batches, tensors and workspace that it uses, also when they are disposed. Their contents may change between
/// launches: <see cref="LoraBatch"/>es set anew, tensors written.
/// </summary>
public sealed class DeviceGraph : IDisposable
{
    private readonly GraphHandle _handle;

    internal DeviceGraph(Device device, GraphHandle handle)
    {
        Device = device;
        _handle = handle;
    }

    /// <summary>Where it was recorded, and can be launched.</summary>
    public Device Device { get; }

    /// <summary>Enqueues the recorded operations.</summary>
    /// <param name="stream">
    /// On which stream; null for the device's default one. Two launches at once, or a launch beside operations of the
    /// stream that it was recorded on, would use one workspace twice.
    /// </param>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The graph or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.Busy"/>, or <see cref="LoraKernelsStatus.DeviceLost"/>.
    /// </exception>
    public unsafe void Launch(DeviceStream? stream = null)
    {
        stream ??= Device.DefaultStream;
        stream.RequireSamePlace(Device, nameof(stream));
        using var context = new Lease(stream.Handle);
        using var graph = new Lease(_handle);
        NativeCall.Check(NativeMethods.lk_graph_launch((lk_context*)context.Pointer, (lk_graph*)graph.Pointer));
    }

    /// <summary>Waits for launches under way, then lets go of the graph and of what it kept.</summary>
    public void Dispose() => _handle.Dispose();
}
