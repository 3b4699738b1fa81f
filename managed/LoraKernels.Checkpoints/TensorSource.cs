namespace LoraKernels.Checkpoints;

/// <summary>The tensors of an opened checkpoint, in one file or several, in whatever file format.</summary>
internal abstract class TensorSource : IDisposable
{
    // Read at once: so often is cancellation looked at.
    private const int PieceBytes = 16 << 20;

    private readonly Dictionary<string, TensorInfo> _byName;

    /// <param name="path">The file, or the folder when there are several.</param>
    /// <param name="kind">For people: "safetensors", "safetensors in 3 shards", "GGUF 3", "ONNX".</param>
    /// <param name="tensors">Names are distinct.</param>
    protected TensorSource(string path, string kind, IReadOnlyList<TensorInfo> tensors)
    {
        Path = path;
        Kind = kind;
        Tensors = tensors;
        _byName = tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
    }

    public string Path { get; }

    public string Kind { get; }

    public IReadOnlyList<TensorInfo> Tensors { get; }

    public TensorInfo? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>All bytes of one of <see cref="Tensors"/>.</summary>
    public abstract byte[] Read(TensorInfo tensor);

    /// <summary>Fills <paramref name="destination"/> with some bytes of one of <see cref="Tensors"/>.</summary>
    public abstract void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination);

    /// <summary>Fills <paramref name="destination"/> with the bytes of one of <see cref="Tensors"/> from an offset on.</summary>
    public void Read(TensorInfo tensor, long offset, Span<byte> destination) =>
        Read(tensor, new ByteRuns(offset, destination.Length), destination);

    /// <summary>Fills <paramref name="destination"/> with a part's bytes.</summary>
    /// <exception cref="OperationCanceledException">Within <see cref="PieceBytes"/>.</exception>
    public void Read(TensorPart part, Span<byte> destination, CancellationToken cancellation = default)
    {
        foreach (var piece in part.Runs.Pieces(PieceBytes))
        {
            cancellation.ThrowIfCancellationRequested();
            Read(part.Tensor, piece, destination[..(int)piece.Bytes]);
            destination = destination[(int)piece.Bytes..];
        }
    }

    public abstract void Dispose();
}
