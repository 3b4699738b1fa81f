using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// The operations one by one. Activations are row-major with any row stride; everything is on one device. A destination
/// shares no memory with an input. None allocates in steady state, and all are enqueued on the stream and return.
/// </summary>
public static unsafe class Kernels
{
    /// <summary>y = x · Wᵀ + bias, rounded once.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="x">[M, K].</param>
    /// <param name="weight">W [N, K].</param>
    /// <param name="bias">[1, N] of any element type, or null.</param>
    /// <param name="y">[M, N].</param>
    /// <param name="stream">On which stream; null for the weight's device's default one.</param>
    /// <exception cref="ArgumentException">Something is on another device than the stream.</exception>
    /// <exception cref="ObjectDisposedException">Something is disposed; it is named.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.ShapeMismatch"/>, <see cref="LoraKernelsStatus.Overlap"/>,
    /// <see cref="LoraKernelsStatus.CapacityExceeded"/> (a reserved workspace is too small) or
    /// <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public static void Matmul<T>(
        DeviceTensor<T> x, QuantizedWeight weight, DeviceTensor? bias, DeviceTensor<T> y, DeviceStream? stream = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(weight);
        stream ??= weight.Device.DefaultStream;
        stream.RequireSamePlace(weight.Device, nameof(weight));
        using var context = new Lease(stream.Handle);
        using var leasedWeight = new Lease(weight.Handle);
        using Lease xMemory = stream.Hold(x, nameof(x));
        using Lease biasMemory = bias is null ? default : stream.Hold(bias, nameof(bias));
        using Lease yMemory = stream.Hold(y, nameof(y));
        lk_matrix xView = x.View();
        lk_matrix yView = y.View();
        lk_matrix biasView = bias?.View() ?? default;
        NativeCall.Check(NativeMethods.lk_matmul(
            (lk_context*)context.Pointer,
            &xView,
            (lk_weight*)leasedWeight.Pointer,
            bias is null ? null : &biasView,
            &yView));
    }

    /// <summary>Columns that the result of <see cref="LoraShrink"/> needs.</summary>
    /// <param name="batch">The adapters of each row.</param>
    /// <param name="module">A module of the batch's table.</param>
    /// <returns>The largest sum of ranks over the module's slices among the batch's adapters.</returns>
    /// <exception cref="ArgumentException">The table has no such module; those it has are listed.</exception>
    /// <exception cref="ObjectDisposedException">The batch is disposed.</exception>
    public static long LoraShrinkColumns(LoraBatch batch, string module)
    {
        int index = IndexOf(batch, module);
        using var leasedBatch = new Lease(batch.Handle);
        long columns;
        NativeCall.Check(NativeMethods.lk_lora_shrink_columns((lk_lora_batch*)leasedBatch.Pointer, index, &columns));
        return columns;
    }

    /// <summary>
    /// s[e, :] = x[row of e] · Aᵀ for each entry e of the batch, in the order it was set; the ranks of a fused module's
    /// slices one after the other. What an entry does not fill becomes 0.
    /// </summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="x">[M, K]; M is the batch's rows.</param>
    /// <param name="batch">The adapters of each row.</param>
    /// <param name="module">A module of the batch's table.</param>
    /// <param name="s">[entries, <see cref="LoraShrinkColumns"/> or more].</param>
    /// <param name="stream">On which stream; null for the table's device's default one.</param>
    /// <exception cref="ArgumentException">
    /// The table has no such module; those it has are listed. Or something is on another device than the stream.
    /// </exception>
    /// <exception cref="ObjectDisposedException">Something is disposed; it is named.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.ShapeMismatch"/>, <see cref="LoraKernelsStatus.Overlap"/> or
    /// <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public static void LoraShrink<T>(
        DeviceTensor<T> x, LoraBatch batch, string module, DeviceTensor<float> s, DeviceStream? stream = null)
        where T : unmanaged =>
        Run(&NativeMethods.lk_lora_shrink, x, nameof(x), batch, module, s, nameof(s), stream);

    /// <summary>
    /// y[row of e, slice] += weight(e) · scale · s[e, the slice's ranks] · Bᵀ, entries in their order, one rounding.
    /// </summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="s">[entries, <see cref="LoraShrinkColumns"/> or more], from <see cref="LoraShrink"/>.</param>
    /// <param name="batch">The adapters of each row.</param>
    /// <param name="module">A module of the batch's table.</param>
    /// <param name="y">[M, N]; M is the batch's rows.</param>
    /// <param name="stream">On which stream; null for the table's device's default one.</param>
    /// <exception cref="ArgumentException">
    /// The table has no such module; those it has are listed. Or something is on another device than the stream.
    /// </exception>
    /// <exception cref="ObjectDisposedException">Something is disposed; it is named.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.ShapeMismatch"/>, <see cref="LoraKernelsStatus.Overlap"/> or
    /// <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public static void LoraExpand<T>(
        DeviceTensor<float> s, LoraBatch batch, string module, DeviceTensor<T> y, DeviceStream? stream = null)
        where T : unmanaged =>
        Run(&NativeMethods.lk_lora_expand, s, nameof(s), batch, module, y, nameof(y), stream);

    /// <summary>y += the updates of each row's adapters: shrink and expand in one call, one rounding.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="x">[M, K]; M is the batch's rows.</param>
    /// <param name="batch">The adapters of each row.</param>
    /// <param name="module">A module of the batch's table.</param>
    /// <param name="y">[M, N].</param>
    /// <param name="stream">On which stream; null for the table's device's default one.</param>
    /// <exception cref="ArgumentException">
    /// The table has no such module; those it has are listed. Or something is on another device than the stream.
    /// </exception>
    /// <exception cref="ObjectDisposedException">Something is disposed; it is named.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.ShapeMismatch"/>, <see cref="LoraKernelsStatus.Overlap"/>,
    /// <see cref="LoraKernelsStatus.CapacityExceeded"/> (a reserved workspace is too small) or
    /// <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public static void LoraApply<T>(
        DeviceTensor<T> x, LoraBatch batch, string module, DeviceTensor<T> y, DeviceStream? stream = null)
        where T : unmanaged =>
        Run(&NativeMethods.lk_lora_apply, x, nameof(x), batch, module, y, nameof(y), stream);

    /// <summary>Base, adapters and bias; what <see cref="LoraKernels.Linear"/> calls.</summary>
    internal static void Linear(
        DeviceTensor x,
        QuantizedWeight weight,
        LoraBatch? batch,
        int module,
        DeviceTensor? bias,
        DeviceTensor y,
        DeviceStream? stream)
    {
        stream ??= weight.Device.DefaultStream;
        stream.RequireSamePlace(weight.Device, nameof(weight));
        if (batch is not null)
            stream.RequireSamePlace(batch.Table.Device, nameof(batch));
        using var context = new Lease(stream.Handle);
        using var leasedWeight = new Lease(weight.Handle);
        using var leasedBatch = new Lease(batch?.Handle);
        using Lease xMemory = stream.Hold(x, nameof(x));
        using Lease biasMemory = bias is null ? default : stream.Hold(bias, nameof(bias));
        using Lease yMemory = stream.Hold(y, nameof(y));
        lk_matrix xView = x.View();
        lk_matrix yView = y.View();
        lk_matrix biasView = bias?.View() ?? default;
        NativeCall.Check(NativeMethods.lk_linear(
            (lk_context*)context.Pointer,
            &xView,
            (lk_weight*)leasedWeight.Pointer,
            (lk_lora_batch*)leasedBatch.Pointer,
            module,
            bias is null ? null : &biasView,
            &yView));
    }

    private static void Run(
        delegate*<lk_context*, lk_matrix*, lk_lora_batch*, int, lk_matrix*, lk_status> operation,
        DeviceTensor input,
        string inputName,
        LoraBatch batch,
        string module,
        DeviceTensor output,
        string outputName,
        DeviceStream? stream)
    {
        int index = IndexOf(batch, module);
        stream ??= batch.Table.Device.DefaultStream;
        stream.RequireSamePlace(batch.Table.Device, nameof(batch));
        using var context = new Lease(stream.Handle);
        using var leasedBatch = new Lease(batch.Handle);
        using Lease inputMemory = stream.Hold(input, inputName);
        using Lease outputMemory = stream.Hold(output, outputName);
        lk_matrix inputView = input.View();
        lk_matrix outputView = output.View();
        NativeCall.Check(operation(
            (lk_context*)context.Pointer, &inputView, (lk_lora_batch*)leasedBatch.Pointer, index, &outputView));
    }

    private static int IndexOf(LoraBatch batch, string module)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(module);
        return batch.Table.Names.TryFindModule(module, out int index)
            ? index
            : throw new ArgumentException(batch.Table.Names.ExplainUnknownModule(module), nameof(module));
    }
}
