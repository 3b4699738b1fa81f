using System.Globalization;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;

namespace LoraKernels.Bridges;

/// <summary>
/// LoraKernels on an ILGPU accelerator: a <see cref="LoraKernels.Device"/> in the accelerator's own CUDA context, on
/// streams and memory of ILGPU's. Nothing is copied. Open one for each accelerator.
/// </summary>
/// <remarks>
/// What is borrowed stays ILGPU's and is never freed here; it is kept from being collected for as long as it is used.
/// Dispose this device and everything made on it before the accelerator, whose context all of it lies in.
/// </remarks>
public sealed partial class IlgpuDevice : IDisposable
{
    /// <param name="device">A device that reaches the accelerator's memory.</param>
    /// <param name="accelerator">Whose memory and streams may be borrowed.</param>
    internal IlgpuDevice(LoraKernels.Device device, Accelerator accelerator)
    {
        Device = device;
        Accelerator = accelerator;
    }

    /// <summary>What weights, adapters and tensors of LoraKernels are made on.</summary>
    public LoraKernels.Device Device { get; }

    /// <summary>The accelerator whose CUDA context the device works in.</summary>
    public Accelerator Accelerator { get; }

    /// <summary>Opens a device in the CUDA context of an accelerator.</summary>
    /// <param name="stream">
    /// A stream of a <see cref="CudaAccelerator"/>, made by <see cref="Accelerator.CreateStream()"/>. The device's
    /// <see cref="LoraKernels.Device.DefaultStream"/> enqueues on it.
    /// </param>
    /// <exception cref="ArgumentException">
    /// <paramref name="stream"/> is of another kind of accelerator, or the accelerator's default stream.
    /// </exception>
    /// <exception cref="ObjectDisposedException"><paramref name="stream"/> is disposed.</exception>
    /// <exception cref="LoraKernelsException">The device cannot be opened; the message says why.</exception>
    public static IlgpuDevice Open(AcceleratorStream stream)
    {
        CudaStream cuda = RequireStream(stream);
        var accelerator = (CudaAccelerator)cuda.Accelerator;
        string name = string.Create(CultureInfo.InvariantCulture, $"cuda:{accelerator.DeviceId}");
        return new IlgpuDevice(LoraKernels.Device.OpenOnStream(name, cuda.StreamPtr, cuda), accelerator);
    }

    /// <summary>A stream of LoraKernels that enqueues on one of the accelerator's.</summary>
    /// <param name="stream">
    /// Made by <see cref="Accelerator.CreateStream()"/>. It must be disposed after the stream that is returned.
    /// </param>
    /// <exception cref="ArgumentException">
    /// <paramref name="stream"/> is of another accelerator, or the default stream of this one.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The device or <paramref name="stream"/> is disposed.</exception>
    /// <exception cref="LoraKernelsException">The stream cannot be used; the message says why.</exception>
    public DeviceStream Borrow(AcceleratorStream stream)
    {
        CudaStream cuda = RequireStream(stream);
        RequireSameAccelerator(cuda.Accelerator, nameof(stream));
        return Device.BorrowStream(cuda.StreamPtr, cuda);
    }

    /// <summary>
    /// Waits for the device's default stream and lets go of it. ILGPU's stream, memory and accelerator stay as they
    /// are.
    /// </summary>
    public void Dispose() => Device.Dispose();

    private static CudaStream RequireStream(AcceleratorStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ObjectDisposedException.ThrowIf(stream.IsDisposed, stream);
        if (stream is not CudaStream cuda)
        {
            throw new ArgumentException(
                $"stream is of {stream.Accelerator}, a {stream.AcceleratorType} accelerator; allowed are streams of a "
                + "CudaAccelerator",
                nameof(stream));
        }
        if (cuda.StreamPtr == 0)
        {
            throw new ArgumentException(
                "stream is the accelerator's DefaultStream, CUDA's own; allowed are those of CreateStream()",
                nameof(stream));
        }
        return cuda;
    }

    private void RequireSameAccelerator(Accelerator accelerator, string argument)
    {
        if (!ReferenceEquals(accelerator, Accelerator))
        {
            throw new ArgumentException(
                $"{argument} is of {Describe(accelerator)}; this device was opened on {Describe(Accelerator)}, and "
                + "each has memory of its own",
                argument);
        }
    }

    // The name alone does not tell two accelerators of one GPU apart.
    private static string Describe(Accelerator accelerator) =>
        string.Create(CultureInfo.InvariantCulture, $"{accelerator.Name} (context 0x{accelerator.NativePtr:x})");
}
