using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// An opened GGUF file, version 2 or 3, little endian. The header is checked whole when it is opened: every tensor then
/// lies inside the file and shares no byte with another.
/// </summary>
/// <remarks>Reading is safe from several threads at once.</remarks>
public sealed class GgufFile : IDisposable
{
    private readonly CheckpointFile _file;
    private readonly Dictionary<string, TensorInfo> _byName;

    private GgufFile(CheckpointFile file, GgufHeader header)
    {
        _file = file;
        Version = header.Version;
        Metadata = header.Metadata;
        Tensors = header.Tensors;
        _byName = Tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
    }

    /// <summary>Full path of the file.</summary>
    public string Path => _file.Path;

    /// <summary>2 or 3.</summary>
    public int Version { get; }

    /// <summary>Every metadata entry, by key.</summary>
    public IReadOnlyDictionary<string, GgufValue> Metadata { get; }

    /// <summary>Every tensor, in the order of their data; shapes slowest dimension first, unlike in the file.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="CheckpointException">It cannot be opened, or is not a well-formed GGUF file.</exception>
    public static GgufFile Open(string path)
    {
        var file = CheckpointFile.Open(path);
        try
        {
            FileKind.RefuseOther(file, FileKind.Gguf);
            return new GgufFile(file, GgufHeader.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>The tensor of that name, or null.</summary>
    public TensorInfo? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>All bytes of a tensor.</summary>
    /// <exception cref="CheckpointException">
    /// No such tensor, one of 2 GiB or more, or a file that got shorter since it was opened.
    /// </exception>
    public byte[] Read(string name)
    {
        var tensor = Get(name);
        return _file.Read(tensor.Offset, tensor.Bytes, name);
    }

    /// <summary>Reads a tensor's bytes from <paramref name="offset"/> on, as many as fit.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="destination">Filled whole.</param>
    /// <param name="offset">Bytes from the start of the tensor.</param>
    /// <exception cref="ArgumentOutOfRangeException">The range is not inside the tensor.</exception>
    /// <exception cref="CheckpointException">No such tensor, or a file that got shorter since it was opened.</exception>
    public void Read(string name, Span<byte> destination, long offset = 0)
    {
        var tensor = Get(name);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (offset > tensor.Bytes - destination.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset,
                $"{destination.Length} bytes from {offset} on are not inside {name}, which has {tensor.Bytes}");
        }
        _file.Read(tensor.Offset + offset, destination, name);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private TensorInfo Get(string name) => Find(name) ?? throw new CheckpointException(Path, name,
        $"there is no such tensor; the file has {Tensors.Count}");
}
