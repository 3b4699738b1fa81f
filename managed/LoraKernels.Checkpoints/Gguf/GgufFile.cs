using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>An opened GGUF file, version 2 or 3, little endian.</summary>
public sealed class GgufFile : TensorFile
{
    private GgufFile(CheckpointFile file, GgufHeader header)
        : base(file, header.Tensors)
    {
        Version = header.Version;
        Metadata = header.Metadata;
    }

    /// <summary>2 or 3.</summary>
    public int Version { get; }

    /// <summary>Every metadata entry, by key.</summary>
    public IReadOnlyDictionary<string, GgufValue> Metadata { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="CheckpointException">It cannot be opened, or is not a well-formed GGUF file.</exception>
    public static GgufFile Open(string path) =>
        Open(path, FileKind.Gguf, file => new GgufFile(file, GgufHeader.Read(file)));
}
