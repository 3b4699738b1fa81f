namespace LoraKernels;

/// <summary>
/// An adapter does not fit the modules of a <see cref="LoraTable"/>. It was not added, not even in part.
/// </summary>
public sealed class AdapterMismatchException : Exception
{
    /// <summary>Makes an exception that lists everything that does not fit.</summary>
    /// <param name="adapter">The adapter's name.</param>
    /// <param name="mismatches">What does not fit, one sentence each, in the order of the adapter's factors.</param>
    public AdapterMismatchException(string adapter, IReadOnlyList<string> mismatches)
        : base(Describe(adapter, mismatches))
    {
        Adapter = adapter;
        Mismatches = mismatches;
    }

    /// <summary>The adapter's name.</summary>
    public string Adapter { get; }

    /// <summary>Everything that does not fit, one sentence each, in the order of the adapter's factors.</summary>
    public IReadOnlyList<string> Mismatches { get; }

    private static string Describe(string adapter, IReadOnlyList<string> mismatches)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        ArgumentNullException.ThrowIfNull(mismatches);
        string count = mismatches.Count == 1 ? "1 mismatch" : $"{mismatches.Count} mismatches";
        return $"adapter '{adapter}' does not fit this table and was not added: {count}"
            + string.Concat(mismatches.Select(mismatch => $"{Environment.NewLine}  - {mismatch}"));
    }
}
