using System.Runtime.InteropServices;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>
/// The processor time that one thread has taken, which any thread may ask for: what other work on the machine takes does
/// not count.
/// </summary>
internal sealed partial class ThreadClock
{
    private const string LibC = "libc.so.6";

    private readonly int _clock;

    private ThreadClock(int clock) => _clock = clock;

    public static ThreadClock OfThisThread() => GetClock(Self(), out int clock) == 0
        ? new ThreadClock(clock)
        : throw new NotSupportedException("the system has no clock for a thread's processor time");

    /// <summary>Since the thread began.</summary>
    public TimeSpan Time => GetTime(_clock, out var time) == 0
        ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / TimeSpan.NanosecondsPerTick)
        : throw new InvalidOperationException("the thread has ended");

    [LibraryImport(LibC, EntryPoint = "pthread_self")]
    private static partial nint Self();

    [LibraryImport(LibC, EntryPoint = "pthread_getcpuclockid")]
    private static partial int GetClock(nint thread, out int clock);

    [LibraryImport(LibC, EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out Timespec time);

    private readonly struct Timespec
    {
        public readonly long Seconds;
        public readonly long Nanoseconds;
    }
}
