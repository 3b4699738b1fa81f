using LoraKernels.Checkpoints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Another source, with the bytes counted that are read from it.</summary>
internal sealed class CountingSource(TensorSource source) : TensorSource(source.Path, source.Kind, source.Tensors)
{
    private readonly Dictionary<string, long> _read = new(StringComparer.Ordinal);

    /// <summary>Bytes that were read of a tensor since the last <see cref="Reset"/>.</summary>
    public long Of(string tensor) => _read.GetValueOrDefault(tensor);

    public long All => _read.Values.Sum();

    public void Reset() => _read.Clear();

    public override byte[] Read(TensorInfo tensor)
    {
        _read[tensor.Name] = Of(tensor.Name) + tensor.Bytes;
        return source.Read(tensor);
    }

    public override void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination)
    {
        _read[tensor.Name] = Of(tensor.Name) + runs.Bytes;
        source.Read(tensor, runs, destination);
    }

    public override void Dispose() => source.Dispose();
}
