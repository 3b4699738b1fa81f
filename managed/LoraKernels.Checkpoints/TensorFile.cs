using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// An opened file of tensors. The header is checked whole when it is opened: every tensor then lies inside the file, has
/// the size that its type and shape ask for, and shares no byte with another.
/// </summary>
/// <remarks>Reading is safe from several threads at once.</remarks>
public abstract class TensorFile : IDisposable
{
    private readonly CheckpointFile _file;
    private readonly Dictionary<string, TensorInfo> _byName;

    private protected TensorFile(CheckpointFile file, IReadOnlyList<TensorInfo> tensors)
    {
        _file = file;
        Tensors = tensors;
        _byName = tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
    }

    /// <summary>Full path of the file.</summary>
    public string Path => _file.Path;

    /// <summary>
    /// Every tensor, in the order of their data; shapes slowest dimension first, whatever the file's own order.
    /// </summary>
    public IReadOnlyList<TensorInfo> Tensors { get; }

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

    /// <summary>Reads some bytes of one of <see cref="Tensors"/>.</summary>
    internal void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination) => _file.Read(tensor, runs, destination);

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        _file.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Opens a file, refuses it unless it is of a <see cref="FileKind"/>, and reads its header.</summary>
    private protected static T Open<T>(string path, string kind, Func<CheckpointFile, T> read)
        where T : TensorFile
    {
        var file = CheckpointFile.Open(path);
        try
        {
            FileKind.RefuseOther(file, kind);
            return read(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private TensorInfo Get(string name) => Find(name) ?? throw new CheckpointException(Path, name,
        $"there is no such tensor; the file has {Tensors.Count}");
}
