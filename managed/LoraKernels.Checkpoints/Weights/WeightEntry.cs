namespace LoraKernels.Checkpoints;

/// <summary>A range of a tensor's bytes: all of it, or an expert's share.</summary>
internal readonly record struct TensorPart(TensorInfo Tensor, long Offset, long Bytes)
{
    public TensorPart(TensorInfo tensor)
        : this(tensor, 0, tensor.Bytes)
    {
    }

    /// <summary>Share number <paramref name="index"/> of a tensor of <paramref name="count"/> equal ones.</summary>
    public static TensorPart Of(TensorInfo tensor, long index, long count) =>
        new(tensor, index * (tensor.Bytes / count), tensor.Bytes / count);
}

/// <summary>Reads a part, into memory of the caller's choice.</summary>
internal delegate ReadOnlyMemory<byte> PartReader(TensorPart part);

/// <summary>A weight that a reader recognized among a checkpoint's tensors.</summary>
/// <param name="Info">What it is.</param>
/// <param name="Parts">The tensors it is made of, what only describes it included.</param>
/// <param name="Read">Reads them.</param>
internal sealed record WeightEntry(
    WeightInfo Info, IReadOnlyList<TensorInfo> Parts, Func<PartReader, WeightTensors> Read);
