namespace LoraKernels.Checkpoints;

/// <summary>How a checkpoint's weights are loaded.</summary>
public sealed record LoadOptions
{
    /// <summary>Told after each weight, on whichever thread loaded it.</summary>
    public IProgress<LoadProgress>? Progress { get; init; }

    /// <summary>Weights that are read at the same time, 1 or more.</summary>
    /// <remarks>By default two more than there are processors: those wait for the disk.</remarks>
    public int MaxParallelism { get; init; } = Math.Clamp(Environment.ProcessorCount + 2, 1, 8);

    /// <summary>Which part of a weight to load, for tensor parallelism; null, or a result of null, for all of it.</summary>
    /// <remarks>No more of a weight is read than its slice needs, as <see cref="Checkpoint.ReadWeight"/> does it.</remarks>
    public Func<WeightInfo, WeightSlice?>? Slice { get; init; }

    /// <summary>
    /// How long a read of 1 MB or less may take, above 0: a disk or network folder that is stuck, or slower than that, ends the
    /// load with a <see cref="CheckpointException"/> that names the file and the byte. Null waits as long as it takes.
    /// </summary>
    public TimeSpan? StallTimeout { get; init; }
}
