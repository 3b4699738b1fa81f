using System.Globalization;
using ManagedCuda;
using ManagedCuda.BasicTypes;

namespace LoraKernels.Bridges;

/// <summary>
/// LoraKernels in a context of ManagedCuda: a <see cref="LoraKernels.Device"/> on its streams and memory. Nothing is
/// copied. Open one for each context.
/// </summary>
/// <remarks>
/// What is borrowed stays ManagedCuda's and is never freed here. Dispose this device and everything made on it before
/// the stream and the context, which all of it lies in.
/// </remarks>
public sealed partial class ManagedCudaDevice : IDisposable
{
    private readonly CUcontext _context;

    /// <param name="device">A device that reaches the context's memory.</param>
    /// <param name="context">Whose streams may be borrowed.</param>
    internal ManagedCudaDevice(LoraKernels.Device device, CUcontext context)
    {
        Device = device;
        _context = context;
    }

    /// <summary>What weights, adapters and tensors of LoraKernels are made on.</summary>
    public LoraKernels.Device Device { get; }

    /// <summary>Opens a device in a CUDA context.</summary>
    /// <param name="context">Made for a device: a <see cref="CudaContext"/> or a <see cref="PrimaryContext"/>.</param>
    /// <param name="stream">
    /// A stream that was created in <paramref name="context"/>. The device's
    /// <see cref="LoraKernels.Device.DefaultStream"/> enqueues on it.
    /// </param>
    /// <exception cref="ArgumentException">
    /// <paramref name="stream"/> is one of CUDA's default streams or was created in another context, or
    /// <paramref name="context"/> does not know its device.
    /// </exception>
    /// <exception cref="CudaException">The driver does not know the stream.</exception>
    /// <exception cref="LoraKernelsException">The device cannot be opened; the message says why.</exception>
    public static ManagedCudaDevice Open(CudaContext context, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(context);
        RequireStream(stream, context.Context);
        // So it is where the context was itself made of a stream.
        if (context.DeviceId < 0)
        {
            throw new ArgumentException(
                $"context has DeviceId {context.DeviceId}; allowed are contexts that were made for a device",
                nameof(context));
        }
        string name = string.Create(CultureInfo.InvariantCulture, $"cuda:{context.DeviceId}");
        LoraKernels.Device device =
            LoraKernels.Device.OpenOnStream(name, stream.Stream.Pointer, new Owner(context, stream));
        return new ManagedCudaDevice(device, context.Context);
    }

    /// <summary>A stream of LoraKernels that enqueues on one of ManagedCuda's.</summary>
    /// <param name="stream">
    /// Created in the context that this device was opened in. It must be disposed after the stream that is returned.
    /// </param>
    /// <exception cref="ArgumentException">
    /// <paramref name="stream"/> is one of CUDA's default streams, or was created in another context.
    /// </exception>
    /// <exception cref="CudaException">The driver does not know the stream.</exception>
    /// <exception cref="ObjectDisposedException">The device is disposed.</exception>
    /// <exception cref="LoraKernelsException">The stream cannot be used; the message says why.</exception>
    public DeviceStream Borrow(CudaStream stream)
    {
        RequireStream(stream, _context);
        return Device.BorrowStream(stream.Stream.Pointer, stream);
    }

    /// <summary>
    /// Waits for the device's default stream and lets go of it. ManagedCuda's stream, memory and context stay as they
    /// are.
    /// </summary>
    public void Dispose() => Device.Dispose();

    private static void RequireStream(CudaStream stream, CUcontext context)
    {
        ArgumentNullException.ThrowIfNull(stream);
        nint handle = stream.Stream.Pointer;
        if (handle == CUstream.NullStream.Pointer || handle == CUstream.LegacyStream.Pointer
            || handle == CUstream.StreamPerThread.Pointer)
        {
            throw new ArgumentException(
                $"stream is {handle}, one of CUDA's default streams; allowed are those that were created",
                nameof(stream));
        }
        var actual = new CUcontext();
        CUResult result = DriverAPINativeMethods.Streams.cuStreamGetCtx(stream.Stream, ref actual);
        if (result != CUResult.Success)
            throw new CudaException(result);
        if (actual.Pointer != context.Pointer)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"stream was created in CUDA context 0x{actual.Pointer:x}; allowed are those of context "
                    + $"0x{context.Pointer:x}, which has its own memory"),
                nameof(stream));
        }
    }

    /// <summary>What has to stay for everything that is made on the device.</summary>
    private sealed record Owner(CudaContext Context, CudaStream Stream);
}
