using System.Diagnostics.CodeAnalysis;
using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// A queue of operations on a device, with the memory that they use for intermediates. One thread at a time: a second
/// one gets <see cref="LoraKernelsStatus.Busy"/>. On a CPU every operation is complete when its call returns.
/// </summary>
[SuppressMessage("Naming", "CA1711", Justification = "A stream of operations, as in CUDA; not of bytes.")]
public sealed class DeviceStream : IDisposable
{
    private readonly bool _isDefault;

    internal DeviceStream(Device device, ContextHandle handle, bool isDefault)
    {
        Device = device;
        Handle = handle;
        _isDefault = isDefault;
    }

    /// <summary>Where the operations run.</summary>
    public Device Device { get; }

    internal ContextHandle Handle { get; }

    /// <summary>Waits until everything enqueued so far is done.</summary>
    /// <exception cref="ObjectDisposedException">The stream is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.Busy"/>.</exception>
    public unsafe void Synchronize()
    {
        using var context = new Lease(Handle);
        NativeCall.Check(NativeMethods.lk_context_synchronize((lk_context*)context.Pointer));
    }

    /// <summary>The <c>CUstream</c> that operations are enqueued on; 0 on a CPU.</summary>
    /// <exception cref="ObjectDisposedException">The stream is disposed.</exception>
    public unsafe nint NativeStream
    {
        get
        {
            using var context = new Lease(Handle);
            void* stream;
            NativeCall.Check(NativeMethods.lk_context_stream((lk_context*)context.Pointer, &stream));
            return (nint)stream;
        }
    }

    /// <summary>
    /// Records operations instead of running them, to be launched as one by <see cref="DeviceGraph.Launch"/>: a step's
    /// many small launches then cost the host next to nothing.
    /// </summary>
    /// <param name="operations">
    /// Enqueues on this stream, from this thread. It must not set a batch, copy from or to the host or load anything;
    /// the workspace has to be there already (<see cref="ReserveWorkspace"/>, or a first run of the same operations).
    /// </param>
    /// <exception cref="ObjectDisposedException">The stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.Unsupported"/>: a CPU records nothing; <see cref="LoraKernelsStatus.Busy"/>: the
    /// stream is recording already; what <paramref name="operations"/> throws ends the recording and is passed on.
    /// </exception>
    public unsafe DeviceGraph Capture(Action operations)
    {
        ArgumentNullException.ThrowIfNull(operations);
        using var context = new Lease(Handle);
        NativeCall.Check(NativeMethods.lk_capture_begin((lk_context*)context.Pointer));
        var uses = new KeptHandles();
        uses.Keep(Handle.Workspace);
        lk_graph* graph = null;
        try
        {
            uses.Record(operations);
            NativeCall.Check(NativeMethods.lk_capture_end((lk_context*)context.Pointer, &graph));
        }
        catch
        {
            // Also where the recording has ended already: then this one fails, and there is nothing to destroy.
            if (graph is null && NativeMethods.lk_capture_end((lk_context*)context.Pointer, &graph) == lk_status.LK_OK)
                _ = NativeMethods.lk_graph_destroy(graph);
            uses.Release();
            throw;
        }
        return new DeviceGraph(Device, new GraphHandle(graph, uses));
    }

    /// <summary>
    /// The size of a workspace that suffices for every operation up to the given sizes, at any thread count.
    /// </summary>
    /// <param name="rows">The most rows that x will have.</param>
    /// <param name="inFeatures">The largest number of input features of the layers.</param>
    /// <param name="outFeatures">The largest number of output features of the layers.</param>
    /// <param name="batch">The batch whose capacities to count in, or null for none.</param>
    /// <returns>Bytes.</returns>
    /// <exception cref="ArgumentException"><paramref name="batch"/> is on another device.</exception>
    /// <exception cref="ObjectDisposedException">The stream or <paramref name="batch"/> is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: a negative size.
    /// </exception>
    public unsafe long QueryWorkspace(long rows, long inFeatures, long outFeatures, LoraBatch? batch = null)
    {
        if (batch is not null)
            RequireSamePlace(batch.Table.Device, nameof(batch));
        using var context = new Lease(Handle);
        using var leasedBatch = new Lease(batch?.Handle);
        var query = new lk_workspace_query
        {
            struct_size = (uint)sizeof(lk_workspace_query),
            rows = rows,
            in_features = inFeatures,
            out_features = outFeatures,
            batch = (lk_lora_batch*)leasedBatch.Pointer,
        };
        long bytes;
        NativeCall.Check(NativeMethods.lk_workspace_bytes((lk_context*)context.Pointer, &query, &bytes));
        return bytes;
    }

    /// <summary>
    /// Allocates the workspace now, for good: operations then never allocate device memory, as graph capture needs.
    /// </summary>
    /// <param name="bytes">
    /// Its size, from <see cref="QueryWorkspace"/>; 0 goes back to a workspace that grows when it must.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bytes"/> is negative.</exception>
    /// <exception cref="ObjectDisposedException">The stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.OutOfMemory"/> or <see cref="LoraKernelsStatus.Busy"/>; the old workspace stays.
    /// </exception>
    public void ReserveWorkspace(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        if (bytes == 0)
        {
            SetWorkspace(0, 0);
            return;
        }
        BufferHandle buffer = BufferHandle.Create(this, bytes, nameof(DeviceStream), out nint data);
        try
        {
            UseWorkspace(data, bytes, buffer);
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }

    /// <summary>Makes operations use memory of the host engine for intermediates.</summary>
    /// <param name="data">
    /// Device memory, aligned to 256 bytes; it must stay valid until it is replaced or the stream disposed. 0 with
    /// <paramref name="bytes"/> 0 goes back to a workspace that grows when it must.
    /// </param>
    /// <param name="bytes">Its size, from <see cref="QueryWorkspace"/>.</param>
    /// <exception cref="ObjectDisposedException">The stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: misaligned, a negative size, or no memory with a size.
    /// </exception>
    public void SetWorkspace(nint data, long bytes) => UseWorkspace(data, bytes, null);

    /// <summary>
    /// Waits for the stream and lets go of it. Does nothing on a <see cref="Device.DefaultStream"/>, which ends with
    /// its device.
    /// </summary>
    public void Dispose()
    {
        if (!_isDefault)
            Handle.Dispose();
    }

    /// <exception cref="ArgumentException">The stream cannot reach the memory of <paramref name="place"/>.</exception>
    internal void RequireSamePlace(Device place, string argument)
    {
        if (!Device.IsSamePlaceAs(place))
        {
            string both = place.ToString() == Device.ToString()
                ? $"{argument} and the stream are both on {place}, but in different CUDA contexts of it (see "
                    + "Device.OpenOnStream); both must be of one Device"
                : $"{argument} is on {place}, the stream on {Device}; both must be on one device";
            throw new ArgumentException(both, argument);
        }
    }

    /// <summary>Holds an operation's tensor for the length of its call.</summary>
    /// <exception cref="ArgumentException">The tensor is on another device.</exception>
    internal Lease Hold([NotNull] DeviceTensor? tensor, string argument)
    {
        ArgumentNullException.ThrowIfNull(tensor, argument);
        RequireSamePlace(tensor.Device, argument);
        return tensor.Hold();
    }

    private unsafe void UseWorkspace(nint data, long bytes, BufferHandle? owned)
    {
        using var context = new Lease(Handle);
        NativeCall.Check(NativeMethods.lk_context_set_workspace((lk_context*)context.Pointer, (void*)data, bytes));
        Handle.KeepWorkspace(owned);
    }
}
