namespace LoraKernels.Checkpoints;

/// <summary>Some of a tensor's bytes: all of them, an expert's share, or a slice's runs.</summary>
internal readonly record struct TensorPart(TensorInfo Tensor, ByteRuns Runs)
{
    public TensorPart(TensorInfo tensor)
        : this(tensor, 0, tensor.Bytes)
    {
    }

    public TensorPart(TensorInfo tensor, long offset, long bytes)
        : this(tensor, new ByteRuns(offset, bytes))
    {
    }

    public long Bytes => Runs.Bytes;

    /// <summary>Share number <paramref name="index"/> of a tensor of <paramref name="count"/> equal ones.</summary>
    public static TensorPart Of(TensorInfo tensor, long index, long count) =>
        new(tensor, index * (tensor.Bytes / count), tensor.Bytes / count);

    /// <summary>Its bytes as the length of an array.</summary>
    /// <exception cref="CheckpointException">More than one array can hold.</exception>
    public int ArrayLength() => Bytes <= Array.MaxLength ? (int)Bytes : throw new CheckpointException(
        Tensor.File, Tensor.Name, $"is {Bytes} bytes of a weight; one array holds {Array.MaxLength}");
}

/// <summary>Reads a part, into memory of the caller's choice.</summary>
internal delegate ReadOnlyMemory<byte> PartReader(TensorPart part);

/// <summary>A weight that a reader recognized among a checkpoint's tensors.</summary>
/// <param name="Info">What it is.</param>
/// <param name="Parts">The tensors it is made of, what only describes it included.</param>
/// <param name="Read">Reads them.</param>
internal sealed record WeightEntry(
    WeightInfo Info, IReadOnlyList<TensorInfo> Parts, Func<PartReader, WeightTensors> Read)
{
    /// <summary>Reads a slice, and of its tensors no more than it needs; all of them when it is null.</summary>
    /// <exception cref="ArgumentException">A slice that cuts through what is stored together.</exception>
    public WeightTensors ReadSlice(PartReader read, WeightSlice? slice) =>
        slice is { } part ? Read(p => UnreadPart.Of(p, read)).Slice(part) : Read(read);
}
