namespace LoraKernels.Serving;

/// <summary>
/// Where an adapter comes from, and comes from again after the pool has let go of it. Two sources that are equal
/// stand for the same adapter.
/// </summary>
public interface IAdapterSource
{
    /// <summary>
    /// Reads the adapter into host memory. Called on a thread of its own, without any lock; a read that never returns
    /// costs its own callers their wait and nobody else anything.
    /// </summary>
    /// <param name="cancellationToken">When nobody waits for it any more.</param>
    /// <exception cref="Checkpoints.CheckpointException">It is missing or malformed.</exception>
    ValueTask<LoraAdapter> ReadAsync(CancellationToken cancellationToken);
}
