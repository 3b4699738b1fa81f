namespace LoraKernels.Serving;

/// <summary>What became of a sequence in a step.</summary>
public enum SequenceState
{
    /// <summary>Its rows are in the step.</summary>
    Ready,

    /// <summary>An adapter of it is on its way to the device; its rows are not in the step.</summary>
    Loading,

    /// <summary>
    /// Its adapters do not fit beside those of the sequences before it, or the batch's capacity is used up; its rows
    /// are not in the step.
    /// </summary>
    NoRoom,

    /// <summary>It cannot be computed at all; <see cref="PoolBatch.ErrorOf"/> says why.</summary>
    Refused,
}
