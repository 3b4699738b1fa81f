using System.Globalization;

namespace LoraKernels.Checkpoints;

/// <summary>The tensors of a GGUF file.</summary>
internal sealed class GgufSource : TensorSource
{
    private GgufSource(GgufFile file)
        : base(file.Path, $"GGUF {file.Version.ToString(CultureInfo.InvariantCulture)}", file.Tensors) => File = file;

    public GgufFile File { get; }

    public static GgufSource Open(string path) => new(GgufFile.Open(path));

    public override byte[] Read(TensorInfo tensor) => File.Read(tensor.Name);

    public override void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination) =>
        File.Read(tensor, runs, destination);

    public override void Dispose() => File.Dispose();
}
