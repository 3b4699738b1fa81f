using System.Buffers;
using System.Runtime.InteropServices;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Host memory for one weight's tensors at a time. It is no memory of the garbage collector's, which gives large arrays back
/// when it likes, so that a load's peak is what its arenas are.
/// </summary>
/// <param name="size">Bytes, at most <see cref="MaxSize"/>.</param>
internal sealed unsafe class HostArena(int size) : MemoryManager<byte>
{
    /// <summary>The most bytes of a weight's tensors that can be held at once.</summary>
    public const int MaxSize = 2000 << 20;

    private const int Alignment = 64;

    private void* _memory = NativeMemory.AlignedAlloc((nuint)size, Alignment);
    private int _used;

    /// <summary>In bytes.</summary>
    public int Size => size;

    /// <summary>What a weight needs whose parts have that many bytes.</summary>
    public static long SizeFor(long bytes, int parts) => bytes + (long)parts * Alignment;

    /// <summary>Room for another weight; what was there is gone.</summary>
    public void Clear() => _used = 0;

    /// <summary>The next part's memory, aligned for any tensor.</summary>
    public Memory<byte> Take(long bytes)
    {
        var part = CreateMemory(_used, (int)bytes);
        _used += (int)((bytes + Alignment - 1) / Alignment * Alignment);
        return part;
    }

    /// <summary>Gives the memory back.</summary>
    public void Free() => ((IDisposable)this).Dispose();

    public override Span<byte> GetSpan() => new(_memory, size);

    public override MemoryHandle Pin(int elementIndex = 0) => new((byte*)_memory + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        NativeMemory.AlignedFree(_memory);
        _memory = null;
    }
}
