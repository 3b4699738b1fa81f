using System.Collections.Concurrent;

namespace LoraKernels.Checkpoints;

/// <summary>Reads weights by several threads and packs each as soon as it is there.</summary>
/// <remarks>
/// Weights beyond <see cref="HostBudget"/> come first and alone, so that what they take of host memory is later taken by packed
/// weights; the others share it.
/// </remarks>
internal sealed class WeightLoader(TensorSource source, Device device, LoadOptions options, CancellationToken cancellation)
    : IDisposable
{
    // Of the 256 MB that a load may take beyond what it packs.
    private const long HostBudget = 192L << 20;

    private readonly HostArenas _arenas = new(HostBudget);
    private readonly ConcurrentDictionary<string, QuantizedWeight> _loaded = new(StringComparer.Ordinal);
    private readonly Lock _packing = new();
    private readonly Lock _reporting = new();
    private int _weights;
    private long _bytes;

    /// <exception cref="CheckpointException">A file that was changed or cut short, or a disk that failed.</exception>
    /// <exception cref="OperationCanceledException">Nothing stays loaded.</exception>
    public WeightCollection Load(IReadOnlyList<WeightEntry> entries)
    {
        var large = entries.Where(e => SizeOf(e) > HostBudget).OrderByDescending(SizeOf);
        var others = InFileOrder(entries.Where(e => SizeOf(e) <= HostBudget));
        try
        {
            foreach (var entry in large) Load(entry, entries);
            Parallel.ForEach(
                Partitioner.Create(others, EnumerablePartitionerOptions.NoBuffering),
                new ParallelOptions { MaxDegreeOfParallelism = options.MaxParallelism, CancellationToken = cancellation },
                entry => Load(entry, entries));
            return new WeightCollection(_loaded.ToDictionary(StringComparer.Ordinal));
        }
        catch (Exception e)
        {
            foreach (var weight in _loaded.Values) weight.Dispose();
            // The first one's reason is the load's.
            if (e is AggregateException { InnerExceptions: [var first, ..] })
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
            throw;
        }
    }

    /// <summary>
    /// Frees what is loaded, once cancelled, though <see cref="Load(IReadOnlyList{WeightEntry})"/> has not ended: a read of it
    /// does not return. What is packed from then on frees itself.
    /// </summary>
    public void Abandon()
    {
        foreach (var weight in _loaded.Values) weight.Dispose();
    }

    /// <summary>Frees the memory that weights were read to.</summary>
    public void Dispose() => _arenas.Dispose();

    private static long SizeOf(WeightEntry entry) => HostArena.SizeFor(entry.Info.Bytes, entry.Parts.Count);

    /// <summary>So that a disk, and what the system reads ahead, goes forwards.</summary>
    private static IEnumerable<WeightEntry> InFileOrder(IEnumerable<WeightEntry> entries) =>
        entries.OrderBy(e => e.Parts[0].File, StringComparer.Ordinal).ThenBy(e => e.Parts.Min(p => p.Offset));

    private void Load(WeightEntry entry, IReadOnlyList<WeightEntry> all)
    {
        cancellation.ThrowIfCancellationRequested();
        if (SizeOf(entry) > HostArena.MaxSize)
        {
            throw new CheckpointException(source.Path, entry.Info.Name,
                $"has {entry.Info.Bytes} bytes; a weight of at most {HostArena.MaxSize} can be loaded");
        }
        var arena = _arenas.Rent(SizeOf(entry), cancellation);
        QuantizedWeight weight;
        try
        {
            var tensors = entry.ReadSlice(part => Read(part, arena.Take(part.Bytes)), options.Slice?.Invoke(entry.Info));
            // A stream is used by one thread at a time; packing is parallel in itself.
            lock (_packing) weight = QuantizedWeight.Pack(device, tensors);
        }
        finally
        {
            _arenas.Return(arena);
        }
        _loaded[entry.Info.Name] = weight;
        if (cancellation.IsCancellationRequested)
        {
            // What was loaded before is freed already where the load was abandoned.
            weight.Dispose();
            throw new OperationCanceledException(cancellation);
        }
        lock (_reporting)
        {
            _weights++;
            _bytes += entry.Info.Bytes;
            options.Progress?.Report(new LoadProgress(
                entry.Info.Name, _weights, all.Count, _bytes, all.Sum(e => e.Info.Bytes)));
        }
    }

    private Memory<byte> Read(TensorPart part, Memory<byte> memory)
    {
        source.Read(part, memory.Span, cancellation);
        return memory;
    }
}
