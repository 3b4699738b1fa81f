using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>An opened safetensors file.</summary>
public sealed class SafetensorsFile : TensorFile
{
    private SafetensorsFile(CheckpointFile file, SafetensorsHeader header)
        : base(file, header.Tensors) => Metadata = header.Metadata;

    /// <summary>The header's <c>__metadata__</c>; empty when it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="CheckpointException">It cannot be opened, or is not a well-formed safetensors file.</exception>
    public static SafetensorsFile Open(string path) =>
        Open(path, FileKind.Safetensors, file => new SafetensorsFile(file, SafetensorsHeader.Read(file)));
}
