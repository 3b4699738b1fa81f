using System.Runtime.InteropServices;
using System.Text;

namespace LoraKernels.Verification;

/// <summary>
/// The emulated CUDA device: the real kernels and launches on the processor, in a native library of its own that builds
/// from source make and no package has. It must be chosen before this process first uses the native library.
/// </summary>
public static unsafe class EmulatedDevice
{
    private const string OverrideVariable = "LORAKERNELS_LIBRARY";

    private static readonly string FileName = "liblorakernels_emulated.so";

    /// <summary>Loads the emulated device's library instead of the ordinary one.</summary>
    /// <exception cref="FileNotFoundException">This is not a build from source: the library is not there.</exception>
    // A variable that is set already was set by somebody who wants that very library.
    public static void UseLibrary()
    {
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable(OverrideVariable)))
            return;
        string path = Path.Combine(AppContext.BaseDirectory, "emulated", FileName);
        if (!File.Exists(path))
        {
            throw new FileNotFoundException(
                $"The emulated device is in {FileName}, which only builds from source have; there is no {path}.", path);
        }
        Environment.SetEnvironmentVariable(OverrideVariable, path);
    }

    /// <summary>Sets options such as <c>seed=7,rounding=truncate</c>, for everything from now on.</summary>
    /// <param name="options">Those of <c>lorakernels_emulated.h</c>; what is not named stays.</param>
    /// <exception cref="ArgumentException">The library refuses the options; see the message.</exception>
    /// <exception cref="EntryPointNotFoundException">Another library than the emulated device's is loaded.</exception>
    public static void Configure(string options)
    {
        ArgumentNullException.ThrowIfNull(options);
        nint library = NativeLibrary.Load(LoraKernelsLibrary.Path);
        var configure = (delegate* unmanaged[Cdecl]<byte*, int>)NativeLibrary.GetExport(
            library, "lk_emulated_configure_text");
        fixed (byte* text = Encoding.UTF8.GetBytes(options + '\0'))
        {
            if (configure(text) == 0)
                return;
        }
        var lastError = (delegate* unmanaged[Cdecl]<byte*>)NativeLibrary.GetExport(library, "lk_last_error");
        throw new ArgumentException(Marshal.PtrToStringUTF8((nint)lastError()), nameof(options));
    }
}
