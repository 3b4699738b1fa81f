namespace LoraKernels.Serving;

/// <summary>Which adapter makes way when the device, or a tenant's quota, is full.</summary>
public interface IEvictionPolicy
{
    /// <summary>
    /// Chooses one. Called under the pool's lock, so it must be quick and call nothing of the pool. Where it throws,
    /// or names none of the candidates, the least recently used one goes.
    /// </summary>
    /// <param name="candidates">Those that nobody needs, the least recently used one first; at least one.</param>
    PooledAdapter Choose(EvictionCandidates candidates);
}
