using System.Runtime.InteropServices;

namespace LoraKernels.Checkpoints;

/// <summary>Some of a tensor's bytes: runs of one size at equal distances, such as some columns of every row.</summary>
/// <param name="First">Where the first run begins, in bytes from the start.</param>
/// <param name="Size">Bytes of a run.</param>
/// <param name="Count">How many runs.</param>
/// <param name="Stride">Bytes from the beginning of a run to that of the next one.</param>
internal readonly record struct ByteRuns(long First, long Size, long Count = 1, long Stride = 0)
{
    /// <summary>Of all runs.</summary>
    public long Bytes => Size * Count;

    /// <summary>Runs that follow on each other as one.</summary>
    public ByteRuns Joined() => Count > 1 && Size == Stride ? new ByteRuns(First, Bytes) : this;

    /// <summary>The same in pieces of at most so many bytes, or of one run where that is larger and not alone.</summary>
    public IEnumerable<ByteRuns> Pieces(long most)
    {
        var (first, size, count, stride) = Joined();
        if (count == 1)
        {
            for (long at = 0; at < size; at += most) yield return new ByteRuns(first + at, Math.Min(most, size - at));
            yield break;
        }
        long runs = Math.Max(1, most / Math.Max(1, size));
        for (long run = 0; run < count; run += runs)
            yield return new ByteRuns(first + run * stride, size, Math.Min(runs, count - run), stride);
    }

    /// <summary>The bytes of these runs, one after the other: copied from memory, or read from where they are.</summary>
    public ReadOnlyMemory<byte> Of(ReadOnlyMemory<byte> tensor)
    {
        if (MemoryMarshal.TryGetMemoryManager(tensor, out UnreadPart? unread, out int start, out _))
            return unread.Read(this with { First = start + First });
        byte[] bytes = new byte[Bytes];
        for (long i = 0; i < Count; i++)
            tensor.Span.Slice((int)(First + i * Stride), (int)Size).CopyTo(bytes.AsSpan((int)(i * Size)));
        return bytes;
    }
}
