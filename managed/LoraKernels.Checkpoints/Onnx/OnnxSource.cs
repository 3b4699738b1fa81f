using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>The initializers of an ONNX model, in its file or in those beside it, and the nodes that say what they are.</summary>
internal sealed class OnnxSource : TensorSource
{
    private readonly Dictionary<string, CheckpointFile> _files;
    private readonly IReadOnlyDictionary<string, string> _unreadable;

    private OnnxSource(
        string path, IReadOnlyList<TensorInfo> tensors, IReadOnlyList<OnnxNode> nodes,
        IReadOnlyDictionary<string, string> unreadable, Dictionary<string, CheckpointFile> files)
        : base(path, "ONNX", tensors)
    {
        Nodes = nodes;
        _unreadable = unreadable;
        _files = files;
    }

    /// <summary>All MatMulNBits nodes.</summary>
    public IReadOnlyList<OnnxNode> Nodes { get; }

    public static OnnxSource Open(string path)
    {
        var files = new Dictionary<string, CheckpointFile>(StringComparer.Ordinal);
        try
        {
            var model = CheckpointFile.Open(path);
            files.Add(model.Path, model);
            FileKind.RefuseOther(model, FileKind.Onnx);
            var graph = OnnxGraph.Read(model);
            string folder = System.IO.Path.GetDirectoryName(model.Path)!;
            var tensors = new List<TensorInfo>();
            var unreadable = new Dictionary<string, string>(StringComparer.Ordinal);
            var names = new HashSet<string>(StringComparer.Ordinal);
            foreach (var initializer in graph.Initializers)
            {
                if (!names.Add(initializer.Name))
                    throw new CheckpointException(model.Path, initializer.Name, "is the name of two initializers");
                if (initializer.Locate(location => OpenExternal(folder, location, files), out string? reason) is { } tensor)
                    tensors.Add(tensor);
                else
                    unreadable.Add(initializer.Name, reason!);
            }
            return new OnnxSource(model.Path, tensors, graph.Nodes, unreadable, files);
        }
        catch
        {
            foreach (var file in files.Values) file.Dispose();
            throw;
        }
    }

    /// <summary>An initializer that a node needs.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="node">Named in errors.</param>
    /// <param name="input">What it is to the node, for errors.</param>
    public TensorInfo Require(string name, string node, string input) => Find(name) ?? throw new CheckpointException(
        Path, name, $"is the {input} of {CheckpointException.Quote(node)}, but "
        + (_unreadable.GetValueOrDefault(name) ?? "the model has no such initializer"));

    public override byte[] Read(TensorInfo tensor) => _files[tensor.File].Read(tensor.Offset, tensor.Bytes, tensor.Name);

    public override void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination) =>
        _files[tensor.File].Read(tensor, runs, destination);

    public override void Dispose()
    {
        foreach (var file in _files.Values) file.Dispose();
    }

    private static CheckpointFile OpenExternal(
        string folder, string location, Dictionary<string, CheckpointFile> files)
    {
        string path = FolderFiles.FindPath(folder, location)
            ?? throw new CheckpointException(folder, location, "the folder has no such file");
        if (files.TryGetValue(path, out var opened)) return opened;
        var file = CheckpointFile.Open(path);
        files.TryAdd(path, file);
        files.TryAdd(file.Path, file);
        return file;
    }
}
