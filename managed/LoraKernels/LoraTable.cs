using System.Collections.ObjectModel;
using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// The adapters on a device, for the layers of one base model. Any adapter may lack any layer, and ranks may differ
/// everywhere. Adapters may be added and removed from several threads, each with a stream of its own.
/// </summary>
public sealed class LoraTable : IDisposable
{
    /// <summary>Makes a table without adapters.</summary>
    /// <remarks>
    /// The adapters' memory comes from the stream's allocator, if it has one. Without, the system gives it: whole pages
    /// of 4 KiB on the CPU; on a GPU pages of its own size (2 MiB), which any later adapter can use, after whatever came
    /// and went.
    /// </remarks>
    /// <param name="device">Where the adapters will be.</param>
    /// <param name="modules">The layers; every name, of layers and slices, occurs once.</param>
    /// <param name="baseModel">The base model, such as "mistralai/Mistral-7B-v0.1"; null if unknown.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">A name that occurs twice, null, or a stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The device or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.OutOfMemory"/>.</exception>
    public unsafe LoraTable(
        Device device, IEnumerable<LoraModule> modules, string? baseModel = null, DeviceStream? stream = null)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(modules);
        stream ??= device.DefaultStream;
        stream.RequireSamePlace(device, nameof(stream));
        LoraModule[] list = [.. modules];
        Names = new ModuleNames(list);
        Device = device;
        Modules = new ReadOnlyCollection<LoraModule>(list);
        BaseModel = baseModel;
        using var context = new Lease(stream.Handle);
        Handle = Create((lk_context*)context.Pointer, list);
    }

    /// <summary>Where the adapters are.</summary>
    public Device Device { get; }

    /// <summary>The layers that adapters may change.</summary>
    public IReadOnlyList<LoraModule> Modules { get; }

    /// <summary>The base model, or null if unknown.</summary>
    public string? BaseModel { get; }

    /// <summary>
    /// The sum of what its adapters take, in bytes; removed ones that a batch still holds included.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The table is disposed.</exception>
    public unsafe long Bytes
    {
        get
        {
            using var table = new Lease(Handle);
            long bytes;
            NativeCall.Check(NativeMethods.lk_lora_table_bytes((lk_lora_table*)table.Pointer, &bytes));
            return bytes;
        }
    }

    /// <summary>
    /// Memory of the device that is set aside for adapters, in bytes, those of its other tables included: what they
    /// take, what pages that they share have left, and what removed ones have left for later ones. It is as large as the
    /// most that was needed at one time, until <see cref="Trim"/> makes it less.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The table is disposed.</exception>
    public unsafe long ReservedBytes
    {
        get
        {
            using var table = new Lease(Handle);
            long bytes;
            NativeCall.Check(NativeMethods.lk_lora_table_reserved_bytes((lk_lora_table*)table.Pointer, &bytes));
            return bytes;
        }
    }

    internal ModuleNames Names { get; }

    internal TableHandle Handle { get; }

    /// <inheritdoc cref="Add(LoraAdapter, AdapterOptions, DeviceStream?)"/>
    public LoadedAdapter Add(LoraAdapter adapter, DeviceStream? stream = null) =>
        Add(adapter, AdapterOptions.None, stream);

    /// <summary>Copies an adapter to the device: all of it, or nothing when anything does not fit.</summary>
    /// <remarks>
    /// The base models are compared when both sides state one that is not blank: by the last part of their paths,
    /// ignoring case, so that "mistralai/Mistral-7B-v0.1" fits "/models/mistral-7b-v0.1". Name no base model where that
    /// is too strict.
    /// </remarks>
    /// <param name="adapter">
    /// The adapter. It may name a fused layer instead of its slices: it is divided among them.
    /// </param>
    /// <param name="options">The base's weights, which DoRA needs, and what the engine does itself.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <returns>The adapter on the device; dispose it to remove it.</returns>
    /// <exception cref="AdapterMismatchException">
    /// Unknown modules, other shapes, ranks outside 1 … 512, a module twice, another base model, DoRA without the base's
    /// weights, or a module trained in full that a table cannot apply: all of them are listed.
    /// </exception>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The table or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.OutOfMemory"/> or <see cref="LoraKernelsStatus.Busy"/>.
    /// </exception>
    public unsafe LoadedAdapter Add(LoraAdapter adapter, AdapterOptions options, DeviceStream? stream = null)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(options);
        stream ??= Device.DefaultStream;
        stream.RequireSamePlace(Device, nameof(stream));
        IReadOnlyList<FittedUpdate> updates = AdapterFit.Match(adapter, Names, BaseModel, options);

        HostMatrix?[] columnScales = ColumnScales.Of(adapter.Name, updates, Names, options, stream);

        using var context = new Lease(stream.Handle);
        using var table = new Lease(Handle);
        using var pinned = new PinnedMemory();
        var factors = new lk_lora_factors[updates.Count];
        for (int i = 0; i < factors.Length; i++)
            factors[i] = updates[i].Pin(pinned, columnScales[i]);
        long id, bytes;
        fixed (lk_lora_factors* first = factors)
        {
            NativeCall.Check(NativeMethods.lk_lora_table_add(
                (lk_context*)context.Pointer, (lk_lora_table*)table.Pointer, first, factors.Length, &id));
        }
        NativeCall.Check(NativeMethods.lk_lora_adapter_bytes((lk_lora_table*)table.Pointer, id, &bytes));
        var loaded = new LoadedAdapter(this, adapter.Name, id, bytes);
        // The host memory is pinned until here only.
        lk_status status = NativeMethods.lk_context_synchronize((lk_context*)context.Pointer);
        if (status == lk_status.LK_OK)
            return loaded;
        Exception error = NativeCall.Failure(status);
        loaded.Dispose();
        throw error;
    }

    /// <inheritdoc cref="Measure(LoraAdapter, AdapterOptions)"/>
    public long Measure(LoraAdapter adapter) => Measure(adapter, AdapterOptions.None);

    /// <summary>
    /// What an adapter would take of the table's memory if it were added, in bytes: <see cref="LoadedAdapter.Bytes"/>,
    /// known from its layers, ranks and types alone. Nothing is read, moved or changed.
    /// </summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="options">Those that it would be added with; the base's weights are not read.</param>
    /// <exception cref="AdapterMismatchException">It does not fit, as <c>Add</c> would say.</exception>
    /// <exception cref="ObjectDisposedException">The table is disposed.</exception>
    public unsafe long Measure(LoraAdapter adapter, AdapterOptions options)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(options);
        lk_lora_factors[] factors =
            [.. AdapterFit.Match(adapter, Names, BaseModel, options).Select(update => update.Describe())];
        using var table = new Lease(Handle);
        long bytes;
        fixed (lk_lora_factors* first = factors)
        {
            NativeCall.Check(NativeMethods.lk_lora_table_measure(
                (lk_lora_table*)table.Pointer, first, factors.Length, &bytes));
        }
        return bytes;
    }

    /// <summary>
    /// Gives back to the system what removed adapters have left. Waits for nothing: what running work may still read
    /// stays.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The table is disposed.</exception>
    public unsafe void Trim()
    {
        using var table = new Lease(Handle);
        NativeCall.Check(NativeMethods.lk_lora_table_trim((lk_lora_table*)table.Pointer));
    }

    /// <summary>A new batch, of 0 rows, for this table's adapters.</summary>
    /// <param name="capacity">What it can hold; its memory never moves.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The table or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: a negative capacity;
    /// <see cref="LoraKernelsStatus.OutOfMemory"/>.
    /// </exception>
    public unsafe LoraBatch CreateBatch(LoraBatchCapacity capacity, DeviceStream? stream = null)
    {
        ArgumentNullException.ThrowIfNull(capacity);
        stream ??= Device.DefaultStream;
        stream.RequireSamePlace(Device, nameof(stream));
        using var context = new Lease(stream.Handle);
        using var table = new Lease(Handle);
        var options = new lk_lora_batch_options
        {
            struct_size = (uint)sizeof(lk_lora_batch_options),
            max_rows = capacity.MaxRows,
            max_entries = capacity.MaxEntries,
            max_segments = capacity.MaxSegments,
            max_rank_tiles = capacity.MaxRankTiles,
        };
        lk_lora_batch* batch;
        NativeCall.Check(NativeMethods.lk_lora_batch_create(
            (lk_context*)context.Pointer, (lk_lora_table*)table.Pointer, &options, &batch));
        return new LoraBatch(this, capacity, new BatchHandle(batch, Handle));
    }

    /// <summary>
    /// Lets go of the table. Adapters and memory go once no batch uses them; batches keep what they hold.
    /// </summary>
    public void Dispose() => Handle.Dispose();

    /// <summary>Removes an adapter; nothing to do where the table is gone.</summary>
    internal unsafe void Remove(long id)
    {
        if (Handle.IsDisposed)
            return;
        try
        {
            using var table = new Lease(Handle);
            NativeCall.Check(NativeMethods.lk_lora_table_remove((lk_lora_table*)table.Pointer, id));
        }
        catch (ObjectDisposedException)
        {
            // Another thread disposed the table since, and with it the adapter.
        }
    }

    private static unsafe TableHandle Create(lk_context* context, LoraModule[] modules)
    {
        var native = new lk_lora_module[modules.Length];
        var slices = new lk_output_slice[modules.Sum(module => module.Slices.Count)];
        lk_lora_table* table;
        fixed (lk_output_slice* firstSlice = slices)
        fixed (lk_lora_module* firstModule = native)
        {
            int used = 0;
            for (int i = 0; i < modules.Length; i++)
            {
                LoraModule module = modules[i];
                native[i] = new lk_lora_module
                {
                    struct_size = (uint)sizeof(lk_lora_module),
                    slice_count = module.Slices.Count,
                    in_features = module.InFeatures,
                    out_features = module.OutFeatures,
                    slices = module.Slices.Count == 0 ? null : firstSlice + used,
                };
                foreach (OutputSlice slice in module.Slices)
                    slices[used++] = new lk_output_slice { offset = slice.Offset, size = slice.Size };
            }
            NativeCall.Check(NativeMethods.lk_lora_table_create(context, firstModule, modules.Length, &table));
        }
        return new TableHandle(table);
    }
}
