using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace LoraKernels.Interop;

/// <summary>Finds, loads and checks the native library for the imports of <see cref="NativeMethods"/>.</summary>
internal static unsafe class NativeLibraryLoader
{
    private static readonly Lock Gate = new();
    private static nint _library;

    /// <summary>The library, loaded by the first who asks.</summary>
    /// <exception cref="NativeLibraryException">None loads, or the one that does is of another ABI version.</exception>
    // All imports must bind to one library, also when the environment changes in between.
    public static nint Library
    {
        get
        {
            lock (Gate)
            {
                if (_library == 0)
                    _library = Load(NativeLibrarySearch.FromEnvironment());
                return _library;
            }
        }
    }

    // The runtime allows one resolver an assembly, and a module initializer runs once, before any import can.
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "The resolver must be there before the first import is bound.")]
    internal static void Register() =>
        NativeLibrary.SetDllImportResolver(typeof(NativeLibraryLoader).Assembly, Resolve);

    /// <summary>Loads the first library that the search finds.</summary>
    /// <returns>A handle that is never 0.</returns>
    /// <exception cref="NativeLibraryException">None loads, or the one that does is of another ABI version.</exception>
    public static nint Load(NativeLibrarySearch search)
    {
        if (search.Override is { } path)
            return LoadOverride(path);

        List<string> attempts = [];
        foreach (string file in search.Files())
        {
            if (TryLoadFile(file, attempts, out nint handle))
                return Check(handle, file);
        }

        if (search.Fallback is { } name && TryProbe(name, attempts, out nint probed))
            return Check(probed, name);

        string rid = NativeLibrarySearch.RuntimeIdentifiers()[^1];
        throw new NativeLibraryException(
            $"The native library {NativeLibrarySearch.FileName} could not be loaded. Tried:",
            attempts,
            $"To fix it, reference a LoraKernels package that carries runtimes/{rid}/native/" +
            $"{NativeLibrarySearch.FileName}, or build the library and set the environment variable " +
            $"{NativeLibrarySearch.OverrideVariable} to its full path.");
    }

    // Asked once for each import.
    private static nint Resolve(string libraryName, Assembly assembly, DllImportSearchPath? searchPath) =>
        libraryName == NativeLibrarySearch.LibraryName ? Library : 0;

    // Whoever sets the variable wants that library: silently running another one would hide the mistake.
    private static nint LoadOverride(string path)
    {
        List<string> attempts = [];
        if (!Path.IsPathFullyQualified(path))
            attempts.Add($"{path}: not a full path");
        else if (TryLoadFile(path, attempts, out nint handle))
            return Check(handle, path);

        throw new NativeLibraryException(
            $"The native library that {NativeLibrarySearch.OverrideVariable} names could not be loaded. Tried:",
            attempts,
            $"To fix it, set {NativeLibrarySearch.OverrideVariable} to the full path of a " +
            $"{NativeLibrarySearch.FileName}, or unset it to use the one that the application carries.");
    }

    private static bool TryLoadFile(string path, List<string> attempts, out nint handle)
    {
        if (File.Exists(path))
            return TryLoad(path, NativeLibrary.Load, attempts, out handle);

        attempts.Add($"{path}: no such file");
        handle = 0;
        return false;
    }

    private static bool TryProbe(string name, List<string> attempts, out nint handle) =>
        TryLoad(
            name,
            name => NativeLibrary.Load(name, typeof(NativeLibraryLoader).Assembly, searchPath: null),
            attempts,
            out handle);

    private static bool TryLoad(string name, Func<string, nint> load, List<string> attempts, out nint handle)
    {
        try
        {
            handle = load(name);
            return true;
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            attempts.AddRange(Reasons(name, error));
            handle = 0;
            return false;
        }
    }

    // On Unix the message is advice on its first line, then the loader's own words on each path that it tried.
    private static IEnumerable<string> Reasons(string name, Exception error)
    {
        string[] lines = error.Message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
        return lines.Length > 1 ? lines.Skip(1) : [$"{name}: {error.Message}"];
    }

    // Before any other call: with another header's structs, even an error message could not be trusted.
    private static nint Check(nint handle, string name)
    {
        const uint Expected = NativeMethods.LK_ABI_VERSION;
        string? problem = null;
        if (!NativeLibrary.TryGetExport(handle, nameof(NativeMethods.lk_abi_version), out nint export))
            problem = $"it exports no {nameof(NativeMethods.lk_abi_version)}";
        else if (((delegate* unmanaged[Cdecl]<uint>)export)() is var version && version != Expected)
            problem = $"its ABI version is {version}, and these bindings need {Expected}";

        if (problem is null)
            return handle;

        NativeLibrary.Free(handle);
        throw new NativeLibraryException(
            "The native library that was found does not fit these bindings:",
            [$"{name}: {problem}"],
            "To fix it, use the library and the LoraKernels assemblies of one and the same release.");
    }
}
