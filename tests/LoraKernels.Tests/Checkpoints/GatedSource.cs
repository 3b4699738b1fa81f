using LoraKernels.Checkpoints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Another source on a disk that hangs: reads of one tensor do not return before a gate is opened.</summary>
internal sealed class GatedSource(TensorSource source, string tensor) : TensorSource(source.Path, source.Kind, source.Tensors)
{
    private readonly ManualResetEventSlim _gate = new();
    private readonly ManualResetEventSlim _reached = new();
    private int _waiting;

    /// <summary>Reads that wait for the gate.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    public void WaitUntilReached() => _reached.Wait();

    public void Open() => _gate.Set();

    public override byte[] Read(TensorInfo read) => source.Read(read);

    public override void Read(TensorInfo read, ByteRuns runs, Span<byte> destination)
    {
        if (read.Name == tensor)
        {
            Interlocked.Increment(ref _waiting);
            _reached.Set();
            _gate.Wait();
            Interlocked.Decrement(ref _waiting);
        }
        source.Read(read, runs, destination);
    }

    public override void Dispose() => source.Dispose();
}
