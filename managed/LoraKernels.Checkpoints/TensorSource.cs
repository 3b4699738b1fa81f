namespace LoraKernels.Checkpoints;

/// <summary>The tensors of an opened checkpoint, in one file or several, in whatever file format.</summary>
internal abstract class TensorSource : IDisposable
{
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

    /// <summary>Fills <paramref name="destination"/> with the bytes of one of <see cref="Tensors"/> from an offset on.</summary>
    public abstract void Read(TensorInfo tensor, long offset, Span<byte> destination);

    public abstract void Dispose();
}
