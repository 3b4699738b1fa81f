namespace LoraKernels.LoadBenchmark;

/// <summary>The operating system's cache of files.</summary>
internal static class PageCache
{
    private const string Control = "/proc/sys/vm/drop_caches";

    /// <summary>Only root may.</summary>
    public static bool CanBeDropped { get; } = Environment.IsPrivilegedProcess && File.Exists(Control);

    public static void Drop() => File.WriteAllText(Control, "1");
}
