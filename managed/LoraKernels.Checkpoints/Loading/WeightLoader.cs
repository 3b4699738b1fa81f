using System.Collections.Concurrent;

namespace LoraKernels.Checkpoints;

/// <summary>Reads weights by several threads and packs each as soon as it is there.</summary>
/// <remarks>
/// Large weights come first and alone, so that what they take of host memory is later taken by packed weights; the others
/// share <see cref="HostBudget"/>.
/// </remarks>
internal sealed class WeightLoader(TensorSource source, Device device, LoadOptions options, CancellationToken cancellation)
{
    // Of the 256 MB that a load may take beyond what it packs.
    private const long HostBudget = 192L << 20;

    // Read at once: so often is cancellation looked at.
    private const int PieceBytes = 16 << 20;

    private readonly ConcurrentDictionary<string, QuantizedWeight> _loaded = new(StringComparer.Ordinal);
    private readonly Lock _packing = new();
    private readonly Lock _reporting = new();
    private int _weights;
    private long _bytes;

    /// <exception cref="CheckpointException">A file that was changed or cut short, or a disk that failed.</exception>
    /// <exception cref="OperationCanceledException">Nothing stays loaded.</exception>
    public WeightCollection Load(IReadOnlyList<WeightEntry> entries)
    {
        long share = HostBudget / options.MaxParallelism;
        try
        {
            using (var arena = new HostArenaOwner())
            {
                foreach (var entry in entries.Where(e => e.Info.Bytes > share).OrderByDescending(e => e.Info.Bytes))
                    Load(entry, arena.Arena, entries);
            }
            using var arenas = new ThreadLocal<HostArenaOwner>(() => new HostArenaOwner(), trackAllValues: true);
            try
            {
                Parallel.ForEach(
                    Partitioner.Create(
                        InFileOrder(entries.Where(e => e.Info.Bytes <= share)),
                        EnumerablePartitionerOptions.NoBuffering),
                    new ParallelOptions { MaxDegreeOfParallelism = options.MaxParallelism, CancellationToken = cancellation },
                    entry => Load(entry, arenas.Value!.Arena, entries));
            }
            finally
            {
                foreach (var arena in arenas.Values) arena.Dispose();
            }
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

    /// <summary>So that a disk, and what the system reads ahead, goes forwards.</summary>
    private static IEnumerable<WeightEntry> InFileOrder(IEnumerable<WeightEntry> entries) =>
        entries.OrderBy(e => e.Parts[0].File, StringComparer.Ordinal).ThenBy(e => e.Parts.Min(p => p.Offset));

    private void Load(WeightEntry entry, HostArena arena, IReadOnlyList<WeightEntry> all)
    {
        cancellation.ThrowIfCancellationRequested();
        if (entry.Info.Bytes > HostArena.MaxBytes)
        {
            throw new CheckpointException(source.Path, entry.Info.Name,
                $"has {entry.Info.Bytes} bytes; a weight of at most {HostArena.MaxBytes} can be loaded");
        }
        arena.Reset(entry.Info.Bytes, entry.Parts.Count);
        var tensors = entry.Read(part =>
        {
            var memory = arena.Take(part.Bytes);
            for (int at = 0; at < memory.Length; at += PieceBytes)
            {
                cancellation.ThrowIfCancellationRequested();
                source.Read(part.Tensor, part.Offset + at, memory.Span.Slice(at, Math.Min(PieceBytes, memory.Length - at)));
            }
            return memory;
        });
        if (options.Slice?.Invoke(entry.Info) is { } slice) tensors = tensors.Slice(slice);
        QuantizedWeight weight;
        // A stream is used by one thread at a time; packing is parallel in itself.
        lock (_packing) weight = QuantizedWeight.Pack(device, tensors);
        _loaded[entry.Info.Name] = weight;
        lock (_reporting)
        {
            _weights++;
            _bytes += entry.Info.Bytes;
            options.Progress?.Report(new LoadProgress(
                entry.Info.Name, _weights, all.Count, _bytes, all.Sum(e => e.Info.Bytes)));
        }
    }

    /// <summary>A memory manager is disposed by its interface.</summary>
    private sealed class HostArenaOwner : IDisposable
    {
        public HostArena Arena { get; } = new();

        public void Dispose() => ((IDisposable)Arena).Dispose();
    }
}
