using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace LoraKernels.Interop;

/// <summary>Where the native library is looked for, in order.</summary>
/// <param name="Override">Value of <see cref="OverrideVariable"/>, or null. If set, nothing else is tried.</param>
/// <param name="Folders">Folders that hold the library itself or <c>runtimes/&lt;rid&gt;/native/</c>.</param>
/// <param name="Fallback">Library name left to the runtime's own probing after the folders, or null for none.</param>
internal sealed record NativeLibrarySearch(string? Override, IReadOnlyList<string> Folders, string? Fallback)
{
    public const string LibraryName = "lorakernels";
    public const string OverrideVariable = "LORAKERNELS_LIBRARY";

    public static string FileName { get; } =
        OperatingSystem.IsWindows() ? LibraryName + ".dll"
        : OperatingSystem.IsMacOS() ? $"lib{LibraryName}.dylib"
        : $"lib{LibraryName}.so";

    /// <summary>The search that this process' environment asks for.</summary>
    public static NativeLibrarySearch FromEnvironment()
    {
        string? path = Environment.GetEnvironmentVariable(OverrideVariable);
        return new NativeLibrarySearch(string.IsNullOrEmpty(path) ? null : path, ApplicationFolders(), LibraryName);
    }

    /// <summary>The files to try, in order, existing or not.</summary>
    public IEnumerable<string> Files()
    {
        foreach (string folder in Folders)
        {
            foreach (string rid in RuntimeIdentifiers())
                yield return Path.Combine(folder, "runtimes", rid, "native", FileName);
            yield return Path.Combine(folder, FileName);
        }
    }

    /// <summary>Names of this platform in packages: the runtime's own, which may name a distribution, and the portable
    /// one.</summary>
    public static IReadOnlyList<string> RuntimeIdentifiers()
    {
        string reported = RuntimeInformation.RuntimeIdentifier;
        string system = OperatingSystem.IsWindows() ? "win"
            : OperatingSystem.IsMacOS() ? "osx"
            : reported.Contains("musl", StringComparison.Ordinal) ? "linux-musl"
            : "linux";
        string architecture = RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        return [.. new[] { reported, $"{system}-{architecture}" }.Distinct()];
    }

    [UnconditionalSuppressMessage(
        "SingleFile",
        "IL3000",
        Justification = "In a single file the location is empty, and the application's folder is looked in.")]
    private static string[] ApplicationFolders()
    {
        string? besideAssembly = Path.GetDirectoryName(typeof(NativeLibrarySearch).Assembly.Location);
        string application = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        return string.IsNullOrEmpty(besideAssembly) || besideAssembly == application
            ? [application]
            : [besideAssembly, application];
    }
}
