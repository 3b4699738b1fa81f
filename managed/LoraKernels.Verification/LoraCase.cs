namespace LoraKernels.Verification;

/// <summary>The adapters of a case.</summary>
/// <param name="Ranks">One adapter each. Its rank in slice <c>j</c> is that of the <c>j</c>-th adapter after it.</param>
/// <param name="Assignment">Which rows they change.</param>
/// <param name="Slices">Output slices of the module; empty: one slice of all columns.</param>
public sealed record LoraCase(
    IReadOnlyList<int> Ranks, LoraAssignment Assignment, IReadOnlyList<(long Offset, long Size)> Slices)
{
    /// <summary>Whether, in turn, one adapter is plain, one has biases of B, and one DoRA's magnitudes.</summary>
    public bool Vectors { get; init; }

    /// <inheritdoc/>
    public override string ToString()
    {
        string ranks = Ranks.Count <= 4 ? string.Join('/', Ranks) : $"{Ranks.Min()}..{Ranks.Max()}";
        string slices = Slices.Count == 0 ? "" : $" slices={Slices.Count}";
        return $"adapters={Ranks.Count} r={ranks} {Assignment}{slices}{(Vectors ? " bias+dora" : "")}";
    }
}
