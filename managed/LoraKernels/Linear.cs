using System.Globalization;
using System.Runtime.CompilerServices;

namespace LoraKernels;

/// <summary>
/// A linear layer: a weight, maybe a bias, and the name by which adapters know it. It owns none of them. Any number of
/// threads may use it, each with a stream of its own.
/// </summary>
public sealed class Linear
{
    private readonly ConditionalWeakTable<LoraTable, StrongBox<int>> _indexInTable = [];

    /// <summary>Puts a layer together.</summary>
    /// <param name="weight">W [N, K].</param>
    /// <param name="module">
    /// The layer's name in the modules of a <see cref="LoraTable"/>; null for a layer that no adapter changes.
    /// </param>
    /// <param name="bias">[1, N] of any element type, or null.</param>
    /// <exception cref="ArgumentException">A bias of another shape or on another device; an empty name.</exception>
    public Linear(QuantizedWeight weight, string? module = null, DeviceTensor? bias = null)
    {
        ArgumentNullException.ThrowIfNull(weight);
        if (module is not null)
            ArgumentException.ThrowIfNullOrEmpty(module);
        if (bias is not null)
        {
            if (bias.Rows != 1 || bias.Columns != weight.OutFeatures)
            {
                throw new ArgumentException(
                    $"bias is [{bias.Rows}, {bias.Columns}]; [1, {weight.OutFeatures}] is needed", nameof(bias));
            }
            weight.Device.DefaultStream.RequireSamePlace(bias.Device, nameof(bias));
        }
        Weight = weight;
        Module = module;
        Bias = bias;
    }

    /// <summary>W [N, K].</summary>
    public QuantizedWeight Weight { get; }

    /// <summary>The name by which adapters know the layer, or null.</summary>
    public string? Module { get; }

    /// <summary>[1, N], or null.</summary>
    public DeviceTensor? Bias { get; }

    /// <summary>y = x · Wᵀ + bias, rounded once. Allocates nothing in steady state.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="x">[M, K].</param>
    /// <param name="y">[M, N]; shares no memory with the others.</param>
    /// <param name="stream">On which stream; null for the weight's device's default one.</param>
    /// <exception cref="ArgumentException">Something is on another device than the stream.</exception>
    /// <exception cref="ObjectDisposedException">Something is disposed; it is named.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.ShapeMismatch"/>, <see cref="LoraKernelsStatus.Overlap"/>,
    /// <see cref="LoraKernelsStatus.CapacityExceeded"/> (a reserved workspace is too small) or
    /// <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public void Forward<T>(DeviceTensor<T> x, DeviceTensor<T> y, DeviceStream? stream = null)
        where T : unmanaged =>
        Kernels.Linear(x, Weight, null, 0, Bias, y, stream);

    /// <summary>
    /// y = x · Wᵀ + the updates of each row's adapters + bias, in this order, rounded once. Adapters without this layer
    /// add nothing. Allocates nothing in steady state.
    /// </summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="x">[M, K]; M is the batch's rows.</param>
    /// <param name="batch">The adapters of each row.</param>
    /// <param name="y">[M, N]; shares no memory with the others.</param>
    /// <param name="stream">On which stream; null for the weight's device's default one.</param>
    /// <exception cref="InvalidOperationException">
    /// The layer has no module name, the batch's table has no module of its name (those it has are listed), or the
    /// module's shape is not the weight's.
    /// </exception>
    /// <exception cref="ArgumentException">Something is on another device than the stream.</exception>
    /// <exception cref="ObjectDisposedException">Something is disposed; it is named.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.ShapeMismatch"/>, <see cref="LoraKernelsStatus.Overlap"/>,
    /// <see cref="LoraKernelsStatus.CapacityExceeded"/> (a reserved workspace is too small) or
    /// <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public void Forward<T>(DeviceTensor<T> x, LoraBatch batch, DeviceTensor<T> y, DeviceStream? stream = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (!_indexInTable.TryGetValue(batch.Table, out StrongBox<int>? index))
            index = Bind(batch.Table);
        Kernels.Linear(x, Weight, batch, index.Value, Bias, y, stream);
    }

    /// <summary>The layer's name and weight.</summary>
    public override string ToString() => Module is null ? $"{Weight}" : $"{Module}: {Weight}";

    private StrongBox<int> Bind(LoraTable table)
    {
        if (Module is null)
        {
            throw new InvalidOperationException(
                "this layer was made without a module name, so it cannot take adapters; give one to the constructor");
        }
        if (!table.Names.TryFindModule(Module, out int index))
            throw new InvalidOperationException($"layer '{Module}': {table.Names.ExplainUnknownModule(Module)}");
        LoraModule module = table.Modules[index];
        if (module.InFeatures != Weight.InFeatures || module.OutFeatures != Weight.OutFeatures)
        {
            throw new InvalidOperationException(string.Create(
                CultureInfo.InvariantCulture,
                $"module '{Module}' of the table is [{module.OutFeatures}, {module.InFeatures}], the layer's weight is "
                + $"[{Weight.OutFeatures}, {Weight.InFeatures}]"));
        }
        return _indexInTable.GetValue(table, _ => new StrongBox<int>(index));
    }
}
