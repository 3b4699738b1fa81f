using System.Diagnostics;
using System.Runtime.InteropServices;
using LoraKernels.Interop;
using LoraKernels.Native;

namespace LoraKernels;

/// <summary>
/// The native library that is loaded, for diagnosis. What asks the library loads it if that has not happened yet, and
/// throws <see cref="NativeLibraryException"/> when it cannot.
/// </summary>
public static unsafe class LoraKernelsLibrary
{
    /// <summary>The file that is loaded.</summary>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    public static string Path
    {
        get
        {
            // Also right where the system's loader chose the file: by an address inside it.
            nint inside = NativeLibrary.GetExport(NativeLibraryLoader.Library, nameof(NativeMethods.lk_version));
            using var process = Process.GetCurrentProcess();
            foreach (ProcessModule module in process.Modules)
            {
                if (inside >= module.BaseAddress && inside - module.BaseAddress < module.ModuleMemorySize)
                    return module.FileName;
            }
            return NativeLibrarySearch.FileName;
        }
    }

    /// <summary>The library's version, such as "0.1.0".</summary>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    public static string Version => NativeCall.Text(NativeMethods.lk_version());

    /// <summary>What the library was built with, for people: compiler, CUDA and why not.</summary>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    public static string BuildInfo => NativeCall.Text(NativeMethods.lk_build_info());

    /// <summary>The ABI version of the library; it is the one that this assembly was made for.</summary>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    public static int AbiVersion => (int)NativeMethods.lk_abi_version();

    /// <summary>Native objects of this process that are made and not yet destroyed.</summary>
    /// <exception cref="NativeLibraryException">The native library cannot be loaded.</exception>
    public static long LiveHandles => NativeMethods.lk_live_handles();

    /// <summary>
    /// Whether objects made from now on are tracked for <see cref="LeakedHandles"/>, which takes a stack trace each.
    /// Set by the environment variable <c>LORAKERNELS_LEAK_REPORT=1</c> before the process starts.
    /// </summary>
    public static bool LeakReportEnabled => HandleTracker.Enabled;

    /// <summary>
    /// The objects found so far that were left to the garbage collector instead of being disposed. Empty unless
    /// <see cref="LeakReportEnabled"/>.
    /// </summary>
    public static IReadOnlyList<LeakedHandle> LeakedHandles => HandleTracker.Leaked;
}
