using LoraKernels.Checkpoints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>A tensor in memory: what a well-formed file may hold, whatever its contents.</summary>
/// <param name="Data">As many bytes as type and shape ask for.</param>
internal sealed record MemoryTensor(string Name, TensorType Type, long[] Shape, byte[] Data)
{
    /// <summary>The tensors of a safetensors file.</summary>
    public static MemoryTensor[] Of(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return [.. file.Tensors.Select(t => new MemoryTensor(t.Name, t.Type, [.. t.Shape], file.Read(t.Name)))];
    }
}

/// <summary>A checkpoint whose tensors are in memory: weight readers see no difference to a file's.</summary>
internal sealed class MemorySource : TensorSource
{
    private const string Name = "memory.safetensors";

    private readonly Dictionary<string, byte[]> _data;

    public MemorySource(IReadOnlyList<MemoryTensor> tensors)
        : base(Name, "safetensors", [.. tensors.Select(t => new TensorInfo(t.Name, t.Type, t.Shape, Name, 0, t.Data.Length))]) =>
        _data = tensors.ToDictionary(t => t.Name, t => t.Data, StringComparer.Ordinal);

    public override byte[] Read(TensorInfo tensor) => [.. _data[tensor.Name]];

    public override void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination) =>
        runs.Of(_data[tensor.Name]).Span.CopyTo(destination);

    public override void Dispose()
    {
    }
}
