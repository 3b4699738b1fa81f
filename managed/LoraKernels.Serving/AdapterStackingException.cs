namespace LoraKernels.Serving;

/// <summary>
/// Adapters on one row whose sum is not defined: DoRA with another weight than 1 (its norms are those of weight 1),
/// an adapter that rescales the output and stands on the row twice, or several that replace a layer.
/// </summary>
/// <remarks>
/// PEFT gives each adapter of a row the result so far, which DoRA rescales: in that order DoRA and other adapters on
/// one row are defined, and computed. PEFT's <c>modules_to_save</c> takes one adapter at a time.
/// </remarks>
public sealed class AdapterStackingException : Exception
{
    /// <summary>Makes an exception for a sequence.</summary>
    /// <param name="sequence">Its index in the batch.</param>
    /// <param name="firstRow">Its first row, counting the rows of all sequences of the batch.</param>
    /// <param name="rows">How many rows it has.</param>
    /// <param name="adapters">The adapters' names, in their order.</param>
    /// <param name="reason">What is not defined.</param>
    public AdapterStackingException(
        int sequence, int firstRow, int rows, IReadOnlyList<string> adapters, string reason)
        : base($"sequence {sequence} (rows {firstRow} … {firstRow + rows - 1}) has {Quote(adapters)}: {reason}")
    {
        Sequence = sequence;
        FirstRow = firstRow;
        Rows = rows;
        Adapters = adapters;
    }

    /// <summary>The sequence's index in the batch.</summary>
    public int Sequence { get; }

    /// <summary>Its first row, counting the rows of all sequences of the batch.</summary>
    public int FirstRow { get; }

    /// <summary>How many rows it has.</summary>
    public int Rows { get; }

    /// <summary>The adapters' names, in their order.</summary>
    public IReadOnlyList<string> Adapters { get; }

    private static string Quote(IReadOnlyList<string> adapters)
    {
        ArgumentNullException.ThrowIfNull(adapters);
        return string.Join(", ", adapters.Select(name => $"'{name}'"));
    }
}
