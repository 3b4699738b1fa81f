using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// A device that computes, and its default stream. Any number of threads may use a device, each with a stream of its
/// own; what is made on a device may outlive it.
/// </summary>
public sealed partial class Device : IDisposable
{
    private readonly lk_cpu_isa _isa;
    private readonly bool _isOnHostStream;

    private Device(
        DeviceKind kind, int index, CpuIsa isa, bool batchInvariant, ComputeMode compute, nint nativeStream = 0,
        object? owner = null)
    {
        _isa = (lk_cpu_isa)isa;
        _isOnHostStream = nativeStream != 0;
        IsBatchInvariant = batchInvariant || kind == DeviceKind.Cpu;
        Compute = compute;
        ContextHandle context = CreateContext(
            kind, index, _isa, IsBatchInvariant, compute, nativeStream, owner, nameof(Device));
        try
        {
            Info = Describe(context);
        }
        catch
        {
            context.Dispose();
            throw;
        }
        DefaultStream = new DeviceStream(this, context, isDefault: true);
    }

    /// <summary>What the device is, and the code path that it takes.</summary>
    public DeviceInfo Info { get; }

    /// <summary>
    /// Whether no bit of a row of a result depends on the other rows, on any of the device's streams: always on the CPU,
    /// and on a GPU that was opened so (see <see cref="Open(string, bool, ComputeMode)"/>).
    /// </summary>
    public bool IsBatchInvariant { get; }

    /// <summary>How x · Wᵀ is computed, on all of the device's streams.</summary>
    public ComputeMode Compute { get; }

    /// <summary>
    /// The stream of every operation that is given none. It serves one thread at a time; other threads need their own
    /// (<see cref="CreateStream"/>).
    /// </summary>
    public DeviceStream DefaultStream { get; }

    /// <summary>
    /// The threads that CPU operations of the whole process share, calling threads included. Set it to 0 for one per
    /// processor that this process may use; takes effect with the next operation.
    /// </summary>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: set to less than 0 or more than 1024.
    /// </exception>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    public static int CpuThreadCount
    {
        get => NativeMethods.lk_cpu_thread_count();
        set => NativeCall.Check(NativeMethods.lk_cpu_set_thread_count(value));
    }

    /// <summary>A stream of its own, for one more thread. Dispose it when done.</summary>
    /// <exception cref="InvalidOperationException">
    /// The device was opened by <see cref="OpenOnStream"/>: all of its streams are the host engine's.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.OutOfMemory"/> or <see cref="LoraKernelsStatus.DeviceUnavailable"/>.
    /// </exception>
    public DeviceStream CreateStream()
    {
        // With no stream to borrow it would land in whatever CUDA context the calling thread has.
        if (_isOnHostStream)
        {
            throw new InvalidOperationException(
                "the device works in the CUDA context of the host engine, where the engine makes the streams; make one "
                + "there and borrow it with BorrowStream");
        }
        return AddStream(0, null);
    }

    /// <summary>
    /// A stream that enqueues on a stream of the host engine. That one stays the engine's, and must outlive this one.
    /// </summary>
    /// <param name="nativeStream">
    /// A <c>CUstream</c> of its own, in the CUDA context that the device works in; not a default stream.
    /// </param>
    /// <param name="owner">
    /// The engine's object that destroys the stream when it is collected; this stream keeps it from that. Null where
    /// there is none.
    /// </param>
    /// <exception cref="ArgumentException"><paramref name="nativeStream"/> is a default stream.</exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: the device is a CPU, which has no native streams, or another
    /// one than the stream's.
    /// </exception>
    public DeviceStream BorrowStream(nint nativeStream, object? owner = null)
    {
        RequireOwnStream(nativeStream);
        return AddStream(nativeStream, owner);
    }

    /// <summary>Uninitialised device memory for a matrix, rows one after the other.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="columns">Columns, 0 or more.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative size, or more than 2⁶³ - 1 bytes.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.OutOfMemory"/>.</exception>
    public DeviceTensor<T> Allocate<T>(long rows, long columns)
        where T : unmanaged
    {
        DType dtype = DTypes.Of<T>();
        long bytes = DeviceTensor.CountBytes(rows, columns, dtype.Size());
        BufferHandle buffer = BufferHandle.Create(DefaultStream, bytes, nameof(DeviceTensor), out nint data);
        return new DeviceTensor<T>(this, buffer, data, rows, columns, columns);
    }

    /// <summary>A matrix on the device with the given contents.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="values">
    /// The elements, row by row; <paramref name="rows"/> × <paramref name="columns"/> of them.
    /// </param>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="columns">Columns, 0 or more.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">Another number of values, or a stream of another device.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative size, or more than 2⁶³ - 1 bytes.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.OutOfMemory"/>, or <see cref="LoraKernelsStatus.Busy"/>: another thread is using
    /// the stream.
    /// </exception>
    public DeviceTensor<T> Upload<T>(
        ReadOnlySpan<T> values, long rows, long columns, DeviceStream? stream = null)
        where T : unmanaged
    {
        DeviceTensor.CountBytes(rows, columns, DTypes.Of<T>().Size());
        DeviceTensor.RequireCount(values.Length, rows, columns, nameof(values));
        DeviceTensor<T> tensor = Allocate<T>(rows, columns);
        try
        {
            tensor.CopyFrom(values, stream);
            return tensor;
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
    }

    /// <summary>Waits for the default stream and lets go of it. What was made on the device stays valid.</summary>
    public void Dispose() => DefaultStream.Handle.Dispose();

    /// <summary>The device's name as <see cref="Open(string, bool, ComputeMode)"/> takes it.</summary>
    public override string ToString() =>
        Info.Kind switch
        {
            DeviceKind.Cpu => $"cpu:{Info.Isa}",
            DeviceKind.Cuda => $"cuda:{Info.Index}",
            _ => $"emulated:{Info.Index}",
        };

    /// <summary>Whether memory of one is memory of the other.</summary>
    // A host engine's CUDA context has memory of its own, and which one that is only the engine knows.
    internal bool IsSamePlaceAs(Device other) =>
        ReferenceEquals(this, other)
        || (Info.Kind == other.Info.Kind && Info.Index == other.Info.Index
            && !_isOnHostStream && !other._isOnHostStream);

    // 1 and 2 are CUDA's handles of its legacy and per-thread default streams.
    private static void RequireOwnStream(nint nativeStream)
    {
        if (nativeStream is 0 or 1 or 2)
        {
            throw new ArgumentException(
                $"nativeStream is {nativeStream}, one of CUDA's default streams; allowed are those that were created, "
                + "by cuStreamCreate or the like",
                nameof(nativeStream));
        }
    }

    private DeviceStream AddStream(nint nativeStream, object? owner)
    {
        using var alive = new Lease(DefaultStream.Handle);
        ContextHandle context = CreateContext(
            Info.Kind, Info.Index, _isa, IsBatchInvariant, Compute, nativeStream, owner, nameof(DeviceStream));
        return new DeviceStream(this, context, isDefault: false);
    }

    private static unsafe ContextHandle CreateContext(
        DeviceKind kind, int index, lk_cpu_isa isa, bool batchInvariant, ComputeMode compute, nint nativeStream,
        object? owner, string publicName)
    {
        var options = new lk_context_options
        {
            struct_size = (uint)sizeof(lk_context_options),
            abi_version = NativeMethods.LK_ABI_VERSION,
            device_kind = (lk_device_kind)kind,
            device_index = index,
            cpu_isa = isa,
            batch_invariant = batchInvariant ? 1u : 0u,
            compute = (lk_compute)compute,
            stream = (void*)nativeStream,
        };
        lk_context* context;
        NativeCall.Check(NativeMethods.lk_context_create(&options, &context));
        return new ContextHandle(context, publicName, owner);
    }

    private static unsafe DeviceInfo Describe(ContextHandle handle)
    {
        using var context = new Lease(handle);
        var info = new lk_device_info { struct_size = (uint)sizeof(lk_device_info) };
        NativeCall.Check(NativeMethods.lk_context_describe((lk_context*)context.Pointer, &info));
        return NativeCall.Info(info);
    }
}
