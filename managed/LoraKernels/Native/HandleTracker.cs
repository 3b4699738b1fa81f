using System.Collections.Concurrent;
using System.Diagnostics;

namespace LoraKernels.Native;

/// <summary>
/// The leak report: where every live handle was made, and which were left to the finalizer. Off unless the environment
/// variable LORAKERNELS_LEAK_REPORT is 1, since it walks the stack for each handle.
/// </summary>
internal static class HandleTracker
{
    private static readonly ConcurrentDictionary<Entry, byte> LiveEntries = new();
    private static readonly ConcurrentQueue<LeakedHandle> LeakedEntries = new();

    /// <summary>Whether handles made from now on are tracked.</summary>
    public static bool Enabled { get; set; } =
        Environment.GetEnvironmentVariable("LORAKERNELS_LEAK_REPORT") == "1";

    /// <summary>Tracked handles that are neither disposed nor finalized.</summary>
    public static IReadOnlyList<LeakedHandle> Live => [.. LiveEntries.Keys.Select(entry => entry.Handle)];

    /// <summary>Tracked handles that were finalized without being disposed.</summary>
    public static IReadOnlyList<LeakedHandle> Leaked => [.. LeakedEntries];

    /// <summary>Takes the leaks of one type out of the report: for tests that leak on purpose.</summary>
    public static IReadOnlyList<LeakedHandle> TakeLeaked(string type)
    {
        var taken = new List<LeakedHandle>();
        for (int remaining = LeakedEntries.Count; remaining > 0 && LeakedEntries.TryDequeue(out var leak); remaining--)
        {
            if (leak.Type == type)
                taken.Add(leak);
            else
                LeakedEntries.Enqueue(leak);
        }
        return taken;
    }

    /// <returns>The new handle's entry, or null when tracking is off.</returns>
    public static Entry? Track(string type)
    {
        if (!Enabled)
            return null;
        // Without this method and the handle's constructor.
        var entry = new Entry(new LeakedHandle(type, new StackTrace(skipFrames: 2, fNeedFileInfo: true).ToString()));
        LiveEntries.TryAdd(entry, 0);
        return entry;
    }

    internal sealed class Entry(LeakedHandle handle)
    {
        public LeakedHandle Handle { get; } = handle;

        public void Close(bool leaked)
        {
            if (LiveEntries.TryRemove(this, out _) && leaked)
                LeakedEntries.Enqueue(Handle);
        }
    }
}
