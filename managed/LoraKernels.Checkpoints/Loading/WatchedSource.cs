using System.Collections.Concurrent;

namespace LoraKernels.Checkpoints;

/// <summary>The tensors of another source, with every read known that has not returned. It owns nothing.</summary>
internal sealed class WatchedSource(TensorSource source) : TensorSource(source.Path, source.Kind, source.Tensors)
{
    // So often a slow disk shows that it goes on.
    private const int PieceBytes = 1 << 20;

    // By the threads that wait for them.
    private readonly ConcurrentDictionary<int, PendingRead> _pending = new();

    /// <summary>The read that has been waited for longest; null when none is.</summary>
    public PendingRead? Oldest => _pending.Values.MaxBy(read => read.Age);

    public override byte[] Read(TensorInfo tensor)
    {
        byte[] bytes = GC.AllocateUninitializedArray<byte>(new TensorPart(tensor).ArrayLength());
        Read(tensor, 0, bytes);
        return bytes;
    }

    public override void Read(TensorInfo tensor, ByteRuns runs, Span<byte> destination)
    {
        int thread = Environment.CurrentManagedThreadId;
        try
        {
            foreach (var piece in runs.Pieces(PieceBytes))
            {
                _pending[thread] = new PendingRead(tensor, piece);
                source.Read(tensor, piece, destination[..(int)piece.Bytes]);
                destination = destination[(int)piece.Bytes..];
            }
        }
        finally
        {
            _pending.TryRemove(thread, out _);
        }
    }

    public override void Dispose()
    {
    }
}
