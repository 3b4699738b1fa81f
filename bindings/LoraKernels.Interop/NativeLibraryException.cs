namespace LoraKernels;

/// <summary>The native library was not found, could not be loaded, or is of another version.</summary>
/// <remarks>Thrown by whatever first needs the library, and again by each later call until it can be loaded.</remarks>
public sealed class NativeLibraryException : Exception
{
    internal NativeLibraryException(string problem, IReadOnlyList<string> attempts, string fix)
        : base(Describe(problem, attempts, fix)) =>
        Attempts = attempts;

    /// <summary>What was tried, in order: each a path or library name, a colon, and why it did not serve.</summary>
    public IReadOnlyList<string> Attempts { get; }

    private static string Describe(string problem, IReadOnlyList<string> attempts, string fix) =>
        string.Join(Environment.NewLine, [problem, .. attempts.Select(attempt => "  " + attempt), fix]);
}
