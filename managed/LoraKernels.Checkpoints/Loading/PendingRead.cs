using System.Diagnostics;

namespace LoraKernels.Checkpoints;

/// <summary>A read that has begun and not returned.</summary>
/// <param name="Tensor">Whose bytes.</param>
/// <param name="Runs">Which of them.</param>
internal sealed record PendingRead(TensorInfo Tensor, ByteRuns Runs)
{
    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>Since it began.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(_began);
}
