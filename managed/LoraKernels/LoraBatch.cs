using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// Which adapters change which rows of a step: set once, used by every layer. Several streams may use it at once; new
/// contents do not disturb operations that already run.
/// </summary>
public sealed class LoraBatch : IDisposable
{
    private const int MaxOnStack = 256;

    internal LoraBatch(LoraTable table, LoraBatchCapacity capacity, BatchHandle handle)
    {
        Table = table;
        Capacity = capacity;
        Handle = handle;
    }

    /// <summary>Whose adapters it names.</summary>
    public LoraTable Table { get; }

    /// <summary>What it can hold.</summary>
    public LoraBatchCapacity Capacity { get; }

    /// <summary>Rows of the latest contents; 0 at first.</summary>
    public long Rows { get; private set; }

    /// <summary>Entries of the latest contents, those without an adapter included; 0 at first.</summary>
    public long Entries { get; private set; }

    internal BatchHandle Handle { get; }

    /// <summary>Sets one adapter, or none, for each row, with weight 1. Allocates nothing in steady state.</summary>
    /// <param name="adapterOfRow">[rows]; null for a row that gets the base model's output.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">An adapter of another table, or a stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">
    /// The batch or the stream is disposed, or an adapter was removed; row and adapter are named.
    /// </exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.CapacityExceeded"/>: more than the batch was created for; it keeps its old
    /// contents;
    /// <see cref="LoraKernelsStatus.NotFound"/>: another thread has just removed an adapter.
    /// </exception>
    public void Set(ReadOnlySpan<LoadedAdapter?> adapterOfRow, DeviceStream? stream = null) =>
        Set(adapterOfRow.Length, [], adapterOfRow, [], stream);

    /// <summary>
    /// Sets any number of weighted adapters for each row: row r has the entries <c>rowOffsets[r]</c> …
    /// <c>rowOffsets[r + 1] - 1</c>. Allocates nothing in steady state.
    /// </summary>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="rowOffsets">
    /// [rows + 1], ascending from 0 to the number of entries; or empty: one entry a row.
    /// </param>
    /// <param name="adapters">[entries]; null adds nothing. An adapter may stand on a row more than once.</param>
    /// <param name="weights">[entries], finite; or empty: all 1.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">
    /// Lengths that do not fit each other, an adapter of another table, or a stream of another device.
    /// </exception>
    /// <exception cref="ObjectDisposedException">
    /// The batch or the stream is disposed, or an adapter was removed; row and adapter are named.
    /// </exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: offsets that do not ascend, or a weight that is not finite;
    /// <see cref="LoraKernelsStatus.CapacityExceeded"/>: more than the batch was created for; it keeps its old
    /// contents;
    /// <see cref="LoraKernelsStatus.NotFound"/>: another thread has just removed an adapter.
    /// </exception>
    public void Set(
        long rows,
        ReadOnlySpan<long> rowOffsets,
        ReadOnlySpan<LoadedAdapter?> adapters,
        ReadOnlySpan<float> weights,
        DeviceStream? stream = null)
    {
        long[]? rented = null;
        Span<long> ids = adapters.Length <= MaxOnStack
            ? stackalloc long[MaxOnStack]
            : rented = ArrayPool<long>.Shared.Rent(adapters.Length);
        ids = ids[..adapters.Length];
        try
        {
            for (int entry = 0; entry < adapters.Length; entry++)
            {
                LoadedAdapter? adapter = adapters[entry];
                if (adapter is not null && (adapter.IsRemoved || !ReferenceEquals(adapter.Table, Table)))
                    Refuse(adapter, entry, rowOffsets);
                ids[entry] = adapter?.Id ?? NativeMethods.LK_ADAPTER_NONE;
            }
            Set(rows, rowOffsets, ids, weights, stream);
        }
        finally
        {
            if (rented is not null)
                ArrayPool<long>.Shared.Return(rented);
        }
    }

    /// <summary>
    /// As the overload with <see cref="LoadedAdapter"/>s, by <see cref="LoadedAdapter.Id"/>. Allocates nothing in steady
    /// state.
    /// </summary>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="rowOffsets">
    /// [rows + 1], ascending from 0 to the number of entries; or empty: one entry a row.
    /// </param>
    /// <param name="adapterIds">[entries]; 0 adds nothing. An adapter may stand on a row more than once.</param>
    /// <param name="weights">[entries], finite; or empty: all 1.</param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">
    /// Lengths that do not fit each other, or a stream of another device.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The batch or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.NotFound"/>: an id that the table does not have, or no longer;
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: offsets that do not ascend, or a weight that is not finite;
    /// <see cref="LoraKernelsStatus.CapacityExceeded"/>: more than the batch was created for; it keeps its old
    /// contents.
    /// </exception>
    public unsafe void Set(
        long rows,
        ReadOnlySpan<long> rowOffsets,
        ReadOnlySpan<long> adapterIds,
        ReadOnlySpan<float> weights,
        DeviceStream? stream = null)
    {
        RequireLengths(rows, rowOffsets, adapterIds.Length, weights.Length);
        stream ??= Table.Device.DefaultStream;
        stream.RequireSamePlace(Table.Device, nameof(stream));
        using var context = new Lease(stream.Handle);
        using var batch = new Lease(Handle);
        fixed (long* offsets = rowOffsets, ids = adapterIds)
        fixed (float* factors = weights)
        {
            var assignment = new lk_lora_assignment
            {
                struct_size = (uint)sizeof(lk_lora_assignment),
                rows = rows,
                row_offsets = offsets,
                adapters = ids,
                weights = factors,
            };
            NativeCall.Check(NativeMethods.lk_lora_batch_set(
                (lk_context*)context.Pointer, (lk_lora_batch*)batch.Pointer, &assignment));
        }
        Rows = rows;
        Entries = adapterIds.Length;
    }

    /// <summary>Lets go of the batch, and of the removed adapters that it held, once no running call uses it.</summary>
    public void Dispose() => Handle.Dispose();

    /// <summary>What the native library cannot see: how long the spans are.</summary>
    private static void RequireLengths(long rows, ReadOnlySpan<long> rowOffsets, int entries, int weights)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        if (rowOffsets.IsEmpty)
        {
            if (entries != rows)
            {
                throw new ArgumentException(
                    $"{entries} adapters for {rows} rows; without rowOffsets there is one a row", nameof(rowOffsets));
            }
        }
        else if (rowOffsets.Length != rows + 1)
        {
            throw new ArgumentException(
                $"rowOffsets has {rowOffsets.Length} elements; {rows} rows need {rows + 1}", nameof(rowOffsets));
        }
        else if (rowOffsets[^1] != entries)
        {
            throw new ArgumentException(
                $"rowOffsets ends with {rowOffsets[^1]}; there are {entries} adapters", nameof(rowOffsets));
        }
        if (weights != 0 && weights != entries)
        {
            throw new ArgumentException(
                $"{weights} weights for {entries} adapters; give one each, or none", nameof(weights));
        }
    }

    [DoesNotReturn]
    private void Refuse(LoadedAdapter adapter, int entry, ReadOnlySpan<long> rowOffsets)
    {
        int row = 0;
        while (!rowOffsets.IsEmpty && row < rowOffsets.Length - 2 && rowOffsets[row + 1] <= entry)
            row++;
        if (rowOffsets.IsEmpty)
            row = entry;
        if (!ReferenceEquals(adapter.Table, Table))
        {
            throw new ArgumentException(
                $"row {row}: adapter '{adapter.Name}' is in another table than this batch's", nameof(adapter));
        }
        throw new ObjectDisposedException(
            nameof(LoadedAdapter), $"row {row}: adapter '{adapter.Name}' (id {adapter.Id}) was removed from its table");
    }
}
