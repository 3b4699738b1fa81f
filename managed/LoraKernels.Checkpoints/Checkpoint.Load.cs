namespace LoraKernels.Checkpoints;

/// <content>From the disk to a device.</content>
public sealed partial class Checkpoint
{
    /// <summary>Reads a weight, or a slice of it, and packs it for a device.</summary>
    /// <param name="name">As in <see cref="Weights"/>.</param>
    /// <param name="device">Where it goes.</param>
    /// <param name="stream">The device's default stream when null.</param>
    /// <param name="slice">Some of its rows or columns; all when null.</param>
    /// <exception cref="CheckpointException">
    /// No such weight, or a file that was changed or cut short since it was opened.
    /// </exception>
    /// <exception cref="ArgumentException">A slice that cuts through what is stored together; says where it may be.</exception>
    /// <exception cref="LoraKernelsException">The device refused it, for lack of memory for one.</exception>
    public QuantizedWeight LoadWeight(
        string name, Device device, DeviceStream? stream = null, WeightSlice? slice = null) =>
        QuantizedWeight.Pack(device, ReadWeight(name, slice), stream);

    /// <summary>
    /// Reads several layers' weights and packs them as one, so that one product computes them all: QKV, gate and up.
    /// </summary>
    /// <param name="name">The fused layer's, for <see cref="Linear"/>: <c>model.layers.0.self_attn.qkv_proj</c>.</param>
    /// <param name="parts">Layers as in <see cref="Weights"/>, in the order of their outputs.</param>
    /// <param name="device">Where it goes.</param>
    /// <param name="stream">The device's default stream when null.</param>
    /// <returns>The weight, and the slices of its outputs for a <see cref="LoraTable"/>.</returns>
    /// <remarks>
    /// Nested absmax of bitsandbytes stays nested where the parts share map and offset, as slices of one weight do;
    /// elsewhere it becomes plain, which takes 9 % more at groups of 64.
    /// </remarks>
    /// <exception cref="CheckpointException">
    /// No such weight, weights that do not fit together, or a file that was changed or cut short since it was opened.
    /// </exception>
    /// <exception cref="LoraKernelsException">The device refused it, for lack of memory for one.</exception>
    public FusedWeight LoadFused(string name, IReadOnlyList<string> parts, Device device, DeviceStream? stream = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(parts);
        WeightTensors[] tensors = [.. parts.Select(part => ReadWeight(part))];
        WeightTensors whole;
        try
        {
            whole = WeightSlicing.Concatenate(tensors);
        }
        catch (ArgumentException e)
        {
            throw new CheckpointException(Path, name, $"cannot be put together from {string.Join(", ", parts)}: {e.Message}", e);
        }
        var slices = new OutputSlice[parts.Count];
        long offset = 0;
        for (int i = 0; i < slices.Length; i++)
        {
            slices[i] = new OutputSlice(parts[i], offset, tensors[i].OutFeatures);
            offset += tensors[i].OutFeatures;
        }
        var module = new LoraModule(name, whole.InFeatures, whole.OutFeatures, slices);
        return new FusedWeight(QuantizedWeight.Pack(device, whole, stream), module);
    }

    /// <summary>Loads all weights to a device, several at a time.</summary>
    /// <param name="device">Where they go; its default stream is used.</param>
    /// <param name="options">Progress, parallelism, slices; the defaults when null.</param>
    /// <param name="cancellation">
    /// Stops within 16 MB, or about a second later where a read does not return; nothing stays loaded.
    /// </param>
    /// <remarks>
    /// Host memory beyond what is packed stays below 256 MB, unless a single weight is larger than that.
    /// </remarks>
    /// <exception cref="CheckpointException">
    /// A file that was changed or cut short since it was opened, or a disk that stalls for longer than the options allow.
    /// </exception>
    /// <exception cref="ArgumentException">A slice that cuts through what is stored together.</exception>
    /// <exception cref="LoraKernelsException">The device refused a weight, for lack of memory for one.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/>.</exception>
    public Task<WeightCollection> LoadAllAsync(
        Device device, LoadOptions? options = null, CancellationToken cancellation = default) =>
        LoadAsync(Weights.Select(w => w.Name), device, options, cancellation);

    /// <summary>Loads some weights to a device, several at a time.</summary>
    /// <param name="names">As in <see cref="Weights"/>, each once.</param>
    /// <param name="device">Where they go; its default stream is used.</param>
    /// <param name="options">Progress, parallelism, slices; the defaults when null.</param>
    /// <param name="cancellation">
    /// Stops within 16 MB, or about a second later where a read does not return; nothing stays loaded.
    /// </param>
    /// <exception cref="CheckpointException">
    /// No such weight, a file that was changed or cut short since it was opened, or a disk that stalls for longer than the options
    /// allow.
    /// </exception>
    /// <exception cref="ArgumentException">A name twice, or a slice that cuts through what is stored together.</exception>
    /// <exception cref="LoraKernelsException">The device refused a weight, for lack of memory for one.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/>.</exception>
    public Task<WeightCollection> LoadAsync(
        IEnumerable<string> names, Device device, LoadOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(device);
        options ??= new LoadOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxParallelism, 1, nameof(options));
        if (options.StallTimeout is { } timeout)
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeout, TimeSpan.Zero, nameof(options));
        WeightEntry[] entries = [.. names.Select(Entry)];
        if (entries.GroupBy(e => e.Info.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new ArgumentException($"'{twice.Key}' is named {twice.Count()} times", nameof(names));
        if (cancellation.IsCancellationRequested) return Task.FromCanceled<WeightCollection>(cancellation);
        return new WatchedLoad(_source, device, options, cancellation).Run(entries);
    }
}
