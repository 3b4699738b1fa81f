namespace LoraKernels.Serving;

/// <summary>Who was let go of longest ago makes way: the default.</summary>
public sealed class LeastRecentlyUsed : IEvictionPolicy
{
    /// <summary>The policy; it has no state.</summary>
    public static LeastRecentlyUsed Instance { get; } = new();

    /// <inheritdoc/>
    public PooledAdapter Choose(EvictionCandidates candidates) => candidates.First;
}
