using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// A weight W [N, K] on a device, mostly of 4 bits, in the layout that its kernels stream. Immutable; any number of streams and
/// threads may use it at once.
/// </summary>
public sealed class QuantizedWeight : IDisposable
{
    private unsafe QuantizedWeight(Device device, WeightHandle handle)
    {
        Device = device;
        Handle = handle;
        lk_weight_tensors description = Description();
        Format = (WeightFormat)description.format;
        OutFeatures = description.out_features;
        InFeatures = description.in_features;
        GroupSize = description.group_size;
        OuterGroupSize = description.outer_group_size;
        using var weight = new Lease(handle);
        long bytes;
        NativeCall.Check(NativeMethods.lk_weight_packed_bytes((lk_weight*)weight.Pointer, &bytes));
        PackedBytes = bytes;
    }

    /// <summary>Where the weight is.</summary>
    public Device Device { get; }

    /// <summary>The checkpoint format that it keeps, bit for bit.</summary>
    public WeightFormat Format { get; }

    /// <summary>N, rows of W.</summary>
    public long OutFeatures { get; }

    /// <summary>K, columns of W.</summary>
    public long InFeatures { get; }

    /// <summary>Weights that share a scale.</summary>
    public long GroupSize { get; }

    /// <summary>Scales that share an outer scale; 0 where scales are plain.</summary>
    public long OuterGroupSize { get; }

    /// <summary>Device memory that the weight occupies, in bytes.</summary>
    public long PackedBytes { get; }

    internal WeightHandle Handle { get; }

    /// <summary>Packs a checkpoint's tensors for a device. They are not needed afterwards.</summary>
    /// <param name="device">Where to.</param>
    /// <param name="tensors">The weight in its checkpoint's bytes.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The device or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: a size that does not fit the shape, a group size that the
    /// format does not have, or contents that it does not allow; <see cref="LoraKernelsStatus.Unsupported"/>: an unknown
    /// format; <see cref="LoraKernelsStatus.OutOfMemory"/>.
    /// </exception>
    public static unsafe QuantizedWeight Pack(Device device, WeightTensors tensors, DeviceStream? stream = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(tensors);
        stream ??= device.DefaultStream;
        stream.RequireSamePlace(device, nameof(stream));
        using var context = new Lease(stream.Handle);
        using var pinned = new PinnedMemory();
        lk_weight_tensors native = pinned.PinWeight(tensors);
        lk_weight* weight;
        NativeCall.Check(NativeMethods.lk_weight_pack((lk_context*)context.Pointer, &native, &weight));
        // The host memory is pinned until here only.
        lk_status status = NativeMethods.lk_context_synchronize((lk_context*)context.Pointer);
        return Own(device, weight, status);
    }

    /// <summary>Quantizes a matrix on its device.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="w">[N, K], finite.</param>
    /// <param name="options">To what, and by which rule; null for <see cref="QuantizeOptions.Nf4"/>.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException"><paramref name="w"/> or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: a non-finite element, which is named, a group whose scale is
    /// beyond its type, or options that the format does not have; <see cref="LoraKernelsStatus.Unsupported"/>: a format
    /// that can only be read; <see cref="LoraKernelsStatus.OutOfMemory"/>.
    /// </exception>
    public static unsafe QuantizedWeight Quantize<T>(
        DeviceTensor<T> w, QuantizeOptions? options = null, DeviceStream? stream = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(w);
        stream ??= w.Device.DefaultStream;
        options ??= QuantizeOptions.Nf4();
        using var context = new Lease(stream.Handle);
        using Lease memory = stream.Hold(w, nameof(w));
        lk_matrix matrix = w.View();
        DType ownType = options.Format == WeightFormat.Int4Packed ? DTypes.Of<T>() : default;
        var native = new lk_quantize_options
        {
            struct_size = (uint)sizeof(lk_quantize_options),
            format = (lk_format)options.Format,
            group_size = options.GroupSize,
            outer_group_size = options.OuterGroupSize,
            scale_dtype = (lk_dtype)(options.ScaleDType ?? ownType),
            has_zero_points = options.HasZeroPoints ? 1u : 0u,
        };
        lk_weight* weight;
        NativeCall.Check(NativeMethods.lk_quantize((lk_context*)context.Pointer, &matrix, &native, &weight));
        return Own(w.Device, weight, lk_status.LK_OK);
    }

    /// <summary>The checkpoint's bytes again, bit for bit. Complete when it returns.</summary>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The weight or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.Busy"/>.</exception>
    public unsafe WeightTensors Unpack(DeviceStream? stream = null)
    {
        stream ??= Device.DefaultStream;
        stream.RequireSamePlace(Device, nameof(stream));
        lk_weight_tensors sizes = Description();
        var tensors = new WeightTensors
        {
            Format = Format,
            OutFeatures = OutFeatures,
            InFeatures = InFeatures,
            GroupSize = GroupSize,
            OuterGroupSize = OuterGroupSize,
            OuterOffset = sizes.outer_offset,
            TensorScale = sizes.tensor_scale,
            TensorScaleDivides = sizes.tensor_scale_divides != 0,
            ScaleDType = (DType)sizes.scale_dtype,
            Codes = new byte[sizes.codes.size],
            Scales = new byte[sizes.scales.size],
            ZeroPoints = new byte[sizes.zero_points.size],
            GroupIndex = new byte[sizes.group_index.size],
            Table = new byte[sizes.table.size],
            OuterTable = new byte[sizes.outer_table.size],
            OuterScales = new byte[sizes.outer_scales.size],
        };
        using var context = new Lease(stream.Handle);
        using var weight = new Lease(Handle);
        using var pinned = new PinnedMemory();
        lk_weight_tensors native = pinned.PinWeight(tensors);
        NativeCall.Check(NativeMethods.lk_weight_unpack(
            (lk_context*)context.Pointer, (lk_weight*)weight.Pointer, &native));
        NativeCall.Check(NativeMethods.lk_context_synchronize((lk_context*)context.Pointer));
        return tensors;
    }

    /// <summary>Writes the weights as numbers, by the producer's sequence of fp32 operations, rounded once.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="destination">[N, K].</param>
    /// <param name="stream">On which stream; null for the weight's device's default one.</param>
    /// <exception cref="ArgumentException">A stream or destination of another device.</exception>
    /// <exception cref="ObjectDisposedException">The weight, the destination or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.ShapeMismatch"/> or <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public unsafe void Dequantize<T>(DeviceTensor<T> destination, DeviceStream? stream = null)
        where T : unmanaged
    {
        stream ??= Device.DefaultStream;
        stream.RequireSamePlace(Device, nameof(stream));
        using var context = new Lease(stream.Handle);
        using var weight = new Lease(Handle);
        using Lease memory = stream.Hold(destination, nameof(destination));
        lk_matrix y = destination.View();
        NativeCall.Check(NativeMethods.lk_dequantize((lk_context*)context.Pointer, (lk_weight*)weight.Pointer, &y));
    }

    /// <summary>Frees the weight once no running call uses it.</summary>
    public void Dispose() => Handle.Dispose();

    /// <summary>Format, shape and place.</summary>
    public override string ToString() => $"{Format} [{OutFeatures}, {InFeatures}] on {Device}";

    /// <summary>Takes a new weight over, or destroys it when the call that followed its creation failed.</summary>
    private static unsafe QuantizedWeight Own(Device device, lk_weight* weight, lk_status status)
    {
        var handle = new WeightHandle(weight);
        try
        {
            NativeCall.Check(status);
            return new QuantizedWeight(device, handle);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private unsafe lk_weight_tensors Description()
    {
        using var weight = new Lease(Handle);
        var tensors = new lk_weight_tensors { struct_size = (uint)sizeof(lk_weight_tensors) };
        NativeCall.Check(NativeMethods.lk_weight_describe((lk_weight*)weight.Pointer, &tensors));
        return tensors;
    }
}
