using System.Buffers;
using System.Runtime.InteropServices;

namespace LoraKernels.Checkpoints;

/// <summary>
/// A tensor's bytes that are still in their file: a slice reads the runs that it needs (<see cref="ByteRuns.Of"/>); whoever
/// takes it as memory reads it whole.
/// </summary>
internal sealed class UnreadPart : MemoryManager<byte>
{
    private readonly TensorPart _part;
    private readonly PartReader _read;
    private ReadOnlyMemory<byte>? _whole;

    private UnreadPart(TensorPart part, PartReader read)
    {
        _part = part;
        _read = read;
    }

    /// <summary>Memory of the part's length, of which nothing is read yet.</summary>
    /// <exception cref="CheckpointException">A part that one memory cannot hold.</exception>
    public static ReadOnlyMemory<byte> Of(TensorPart part, PartReader read) =>
        new UnreadPart(part, read).CreateMemory(part.ArrayLength());

    /// <summary>Memory that is read, if it was not before.</summary>
    public static ReadOnlyMemory<byte> Load(ReadOnlyMemory<byte> memory) =>
        MemoryMarshal.TryGetMemoryManager(memory, out UnreadPart? unread, out int start, out int length)
            ? unread.Whole.Slice(start, length)
            : memory;

    private ReadOnlyMemory<byte> Whole => _whole ??= _read(_part);

    /// <summary>Some runs of its bytes.</summary>
    public ReadOnlyMemory<byte> Read(ByteRuns runs) =>
        _read(_part with { Runs = runs with { First = _part.Runs.First + runs.First } });

    public override Span<byte> GetSpan() => MemoryMarshal.AsMemory(Whole).Span;

    public override MemoryHandle Pin(int elementIndex = 0) => Whole[elementIndex..].Pin();

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}
