using System.Buffers;
using System.Runtime.InteropServices;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Host memory for one weight's tensors at a time. It is no memory of the garbage collector's, which gives large arrays back
/// when it likes, so that a load's peak is what its arenas are.
/// </summary>
internal sealed unsafe class HostArena : MemoryManager<byte>
{
    /// <summary>The most bytes of a weight that can be held at once.</summary>
    public const long MaxBytes = 2000L << 20;

    private const int Alignment = 64;

    private void* _memory;
    private int _size;
    private int _used;

    /// <summary>Room for a weight whose parts have that many bytes, at most <see cref="MaxBytes"/>; what was there is gone.</summary>
    public void Reset(long bytes, int parts)
    {
        long needed = bytes + (long)parts * Alignment;
        _used = 0;
        if (needed <= _size) return;
        Free();
        int size = checked((int)needed);
        _memory = NativeMemory.AlignedAlloc((nuint)size, Alignment);
        _size = size;
    }

    /// <summary>The next part's memory, aligned for any tensor.</summary>
    public Memory<byte> Take(long bytes)
    {
        var part = CreateMemory(_used, (int)bytes);
        _used += (int)((bytes + Alignment - 1) / Alignment * Alignment);
        return part;
    }

    public override Span<byte> GetSpan() => new(_memory, _size);

    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)_memory + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing) => Free();

    private void Free()
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
        _size = 0;
    }
}
