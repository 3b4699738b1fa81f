using System.Runtime.InteropServices;

namespace LoraKernels.LoadBenchmark;

/// <summary>Memory as packed weights have it on the CPU: new from the system, in huge pages.</summary>
internal sealed unsafe partial class NewMemory : IDisposable
{
    private const int HugePage = 2 << 20;
    private const int SmallPage = 4096;
    private const int MadvHugePage = 14;

    private readonly void* _memory;

    public NewMemory(long bytes)
    {
        nuint whole = (nuint)((bytes + HugePage - 1) / HugePage * HugePage);
        _memory = NativeMemory.AlignedAlloc(whole, HugePage);
        _ = Advise(_memory, whole, MadvHugePage);
    }

    public byte* Bytes => (byte*)_memory;

    /// <summary>
    /// Has the system hold that much memory ready. A virtual machine's host may have taken it back, and getting it again
    /// takes longer than a load.
    /// </summary>
    public static void Prepare(long bytes)
    {
        using var memory = new NewMemory(bytes);
        for (long at = 0; at < bytes; at += SmallPage) memory.Bytes[at] = 1;
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* memory, nuint bytes, int advice);
}
